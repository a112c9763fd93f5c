"""The providers that are built. Adding one is a folder under `providers/` and a line in `PROVIDERS`."""

from collections.abc import Mapping

from integrations.base import FileFormat, PayoutAdapter
from integrations.description import Method, Provider
from integrations.errors import UnknownProvider
from integrations.providers import cashfree, paddle, paypal, razorpay, shopify, stripe, tremendous, wise

_BUILT = (
    stripe.PROVIDER,
    shopify.PROVIDER,
    razorpay.PROVIDER,
    cashfree.PROVIDER,
    paddle.PROVIDER,
    tremendous.PROVIDER,
    paypal.PROVIDER,
    wise.PROVIDER,
)
PROVIDERS: Mapping[str, Provider] = {provider.slug: provider for provider in _BUILT}


def provider_of(slug: str) -> Provider:
    """Raises UnknownProvider for one that isn't built."""
    try:
        return PROVIDERS[slug]
    except KeyError:
        raise UnknownProvider(slug) from None


def methods() -> tuple[Method, ...]:
    """Every method that some built provider offers, in the registry's order. MANUAL belongs to no provider."""
    return tuple(method for provider in PROVIDERS.values() for method in provider.methods)


def method_of(slug: str) -> Method:
    """Raises UnknownProvider where no built provider offers that method."""
    for method in methods():
        if method.slug == slug:
            return method
    raise UnknownProvider(slug)


def provider_of_method(slug: str) -> Provider:
    """Raises UnknownProvider where no built provider offers that method."""
    for provider in PROVIDERS.values():
        if any(method.slug == slug for method in provider.methods):
            return provider
    raise UnknownProvider(slug)


def adapter_of(slug: str) -> PayoutAdapter:
    """Raises UnknownProvider where no built provider sends rewards by that method."""
    adapter = method_of(slug).adapter
    if adapter is None:
        raise UnknownProvider(slug)
    return adapter


def file_of(slug: str) -> FileFormat | None:
    """The file of a method that works by one, else None; also for MANUAL and a method that isn't built."""
    return next((method.file for method in methods() if method.slug == slug), None)
