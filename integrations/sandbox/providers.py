"""Which stand-ins there are; the slug is the path's first part."""

from collections.abc import Callable, Mapping

from integrations.sandbox.cashfree.api import CashfreeStandIn
from integrations.sandbox.paypal.api import PayPalStandIn
from integrations.sandbox.razorpay.api import RazorpayStandIn
from integrations.sandbox.server import StandIn
from integrations.sandbox.shopify.api import ShopifyStandIn
from integrations.sandbox.store import Store
from integrations.sandbox.stripe.api import StripeStandIn
from integrations.sandbox.tremendous.api import TremendousStandIn
from integrations.sandbox.wise.api import WiseStandIn

STAND_INS: Mapping[str, Callable[[Store], StandIn]] = {
    "stripe": StripeStandIn,
    "shopify": ShopifyStandIn,
    "tremendous": TremendousStandIn,
    "paypal": PayPalStandIn,
    "wise": WiseStandIn,
    "razorpay": RazorpayStandIn,
    "cashfree": CashfreeStandIn,
}
