"""Having Shopify send its webhooks to us, by its API, so that nobody has to enter addresses there."""

from collections.abc import Sequence

from integrations.base import Access
from integrations.errors import ProviderRejected
from integrations.providers.shopify import queries, words
from integrations.providers.shopify.client import Conversation

# Subscribed to in the app's own settings at Shopify, and by no call.
_OF_THE_APP = frozenset({"customers/redact", "customers/data_request", "shop/redact"})
_PAGE = 100


def subscribe(access: Access, address: str, topics: Sequence[str]) -> None:
    """Subscribe to what isn't yet, for that address. Twice at once, the second is refused as taken: no harm.

    Raises ProviderRejected where Shopify doesn't take the address.
    """
    wanted = {topic.replace("/", "_").upper(): topic for topic in topics if topic not in _OF_THE_APP}
    if not wanted:
        return
    talk = Conversation(access)
    there = _subscribed(talk, address)
    for topic in sorted(wanted.keys() - there):
        variables = {"topic": topic, "webhook": {"uri": address}}
        payload = talk.write(queries.SUBSCRIBE, variables, "webhookSubscriptionCreate")
        refused = [error["message"] for error in payload["userErrors"] if "taken" not in error["message"]]
        if refused:
            raise ProviderRejected(words.NOT_SUBSCRIBED.format(said=refused[0]), exchanges=talk.exchanges)


def _subscribed(talk: Conversation, address: str) -> set[str]:
    data = talk.read(queries.SUBSCRIPTIONS, {"uri": address, "first": _PAGE})
    try:
        return {each["topic"] for each in data["webhookSubscriptions"]["nodes"] if each["uri"] == address}
    except (KeyError, TypeError) as error:
        raise talk.unreadable(writes=False) from error
