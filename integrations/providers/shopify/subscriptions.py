"""Having Shopify send its webhooks to us, by its API, so that nobody has to enter addresses there."""

from collections.abc import Sequence

from integrations.base import Access
from integrations.errors import ConnectionNeedsAttention, ProviderRejected
from integrations.providers.shopify import queries, words
from integrations.providers.shopify.client import Conversation
from integrations.providers.shopify.privacy import TOPICS

_PAGE = 100


def subscribe(access: Access, address: str, topics: Sequence[str]) -> None:
    """Subscribe to what isn't yet, for that address. Twice at once, the second is refused as taken: no harm.

    Raises ProviderRejected where Shopify doesn't take the address.
    """
    # The compliance topics are subscribed to in the app's own settings at Shopify, and by no call.
    wanted = {topic.replace("/", "_").upper(): topic for topic in topics if topic not in TOPICS}
    if not wanted:
        return
    talk = Conversation(access)
    there = _subscribed(talk, address)
    refused = {topic: _refusal(talk, topic, address) for topic in sorted(wanted.keys() - there)}
    said = {topic: message for topic, message in refused.items() if message}
    if said:
        # One topic may need a permission that the app lacks; the others are subscribed to all the same.
        names = ", ".join(wanted[topic] for topic in said)
        message = words.NOT_SUBSCRIBED.format(topics=names, said=next(iter(said.values())))
        raise ProviderRejected(message, exchanges=talk.exchanges)


def _refusal(talk: Conversation, topic: str, address: str) -> str:
    """Why Shopify doesn't subscribe us; empty where it does, or did before."""
    variables = {"topic": topic, "webhook": {"uri": address}}
    try:
        payload = talk.write(queries.SUBSCRIBE, variables, "webhookSubscriptionCreate")
    except (ConnectionNeedsAttention, ProviderRejected) as refused:
        return refused.message
    return next((error["message"] for error in payload["userErrors"] if "taken" not in error["message"]), "")


def _subscribed(talk: Conversation, address: str) -> set[str]:
    data = talk.read(queries.SUBSCRIPTIONS, {"uri": address, "first": _PAGE})
    try:
        return {each["topic"] for each in data["webhookSubscriptions"]["nodes"] if each["uri"] == address}
    except (KeyError, TypeError) as error:
        raise talk.unreadable(writes=False) from error
