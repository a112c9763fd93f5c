"""How a provider describes itself to the registry, the pages and the API."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from integrations.base import Access, AccountCheck, Fact, FileFormat, InboundAdapter, PastMessage, PayoutAdapter
from integrations.listing import Listing
from integrations.privacy import ReadsPrivacy


@dataclass(frozen=True)
class CredentialField:
    """A credential that is typed in. Secret ones are shown nowhere again."""

    name: str
    label: str
    help: str
    secret: bool = True
    required: bool = True


@dataclass(frozen=True)
class SettingField:
    """A setting of a connection that is typed in and may be shown. `pattern` is what all of a value has to match, and
    `shape` says so in words. `required` binds the form alone: by API settings may follow later. Of `many`, the form
    takes several with commas between them, the API a list. With `choices` (value, words) the form offers just these.
    """

    name: str
    label: str
    help: str
    required: bool = True
    many: bool = False
    pattern: str = r".{1,200}"
    shape: str = "At most 200 characters."
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Method:
    """A way to issue rewards. `label` is the line in the Issue Reward menu.

    Either an adapter sends them through a connection, or a file is downloaded and uploaded at the provider by a person,
    which needs no connection.
    """

    slug: str
    label: str
    explanation: str
    adapter: PayoutAdapter | None = None
    file: FileFormat | None = None


@dataclass(frozen=True)
class Install:
    """Connecting by installing the operator's app at the provider, where it is set up, instead of typing credentials.

    `permission_url(shop, callback, state, api_base)` is where the person is sent; raises InvalidCredentials.
    `credentials(answered, shop)` checks what they come back with, raises BadSignature, and gives credentials that hold
    a code under `pending`; a worker turns them into lasting ones by `exchange`, which raises ProviderError.
    """

    is_set_up: Callable[[], bool]
    permission_url: Callable[[str, str, str, str | None], str]
    credentials: Callable[[Mapping[str, str], str], Mapping[str, str]]
    exchange: Callable[[Access], Mapping[str, str]]
    pending: str


@dataclass(frozen=True)
class Completion:
    """What a provider's webhooks leave out. `leaves_out` looks at a readable event's payload; `ask` calls the provider.

    `ask` raises the errors of `integrations.errors`.
    """

    leaves_out: Callable[[Mapping[str, Any]], bool]
    ask: Callable[[Access, Mapping[str, Any]], tuple[Fact, ...]]


@dataclass(frozen=True)
class Provider:
    """Everything that the product knows about a provider.

    `check_credentials` raises InvalidCredentials; `mode_of` tells LIVE or TEST from credentials that show it by
    themselves, else None; `check` asks the provider. `signing_label` is None where webhooks are verified by a
    credential, which `signing_credential` names, or by the provider's own key; `webhook_events` are the types to
    subscribe to. `inbound` reads its webhooks: payments where `receives_payments`, else what became of payouts.
    """

    slug: str
    name: str
    purpose: str
    credential_fields: tuple[CredentialField, ...]
    setting_fields: tuple[SettingField, ...]
    methods: tuple[Method, ...]
    inbound: InboundAdapter | None
    receives_payments: bool
    check: Callable[[Access], AccountCheck]
    check_credentials: Callable[[Mapping[str, str]], None]
    mode_of: Callable[[Mapping[str, str]], str | None]
    signing_label: str | None
    signing_help: str
    check_webhook_secret: Callable[[str], None]
    webhook_events: tuple[str, ...]
    # The customer's id at the provider is known to participants under this name (provider_ids of api.md).
    person_key: str
    # Requests a second that the provider allows a connection, by mode (LIVE, TEST); where it is documented.
    requests_per_second: Mapping[str, float]
    # Everything about payments since a time, as the provider lists it, in any order. Raises the errors of
    # `integrations.errors`. None where a provider's past can't be listed.
    payments_since: Callable[[Access, datetime], Iterator[PastMessage]] | None = None
    completion: Completion | None = None
    # Where the provider's webhooks also ask to forget people, or to say what is kept of them.
    privacy: ReadsPrivacy | None = None
    # The credential that webhooks are verified with, where there is one. It is kept as a webhook secret is: with an
    # overlap when it is replaced, and beyond disconnecting.
    signing_credential: str | None = None
    install: Install | None = None
    # Makes the provider send webhooks of those types to our address, where it doesn't already. Raises ProviderError.
    subscribe: Callable[[Access, str, Sequence[str]], None] | None = None
    # Makes an endpoint at the provider for our address, where a person asks for it, and gives its signing secret. Doing
    # it again replaces the one that was made before. Raises ProviderError.
    create_webhook: Callable[[Access, str, Sequence[str]], str] | None = None
    # Where webhooks are signed with keys that have to be fetched: what is kept of the answer to a key's address.
    # Raises UnusableKey.
    trusted_key: Callable[[str, bytes], bytes] | None = None
    # Lists of what was issued, for reconciling; `unlisted` says why there is none, or what they leave out.
    listings: tuple[Listing, ...] = ()
    unlisted: str = ""
