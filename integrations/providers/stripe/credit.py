"""STRIPE_CREDIT: a reward as a credit on the customer's balance, used up by the next invoices.

A credit is a customer balance transaction with a negative amount, in the customer's own currency. It carries the
reward's id in its metadata, by which an unknown outcome is looked up once Stripe has forgotten the idempotency key.
"""

from datetime import timedelta
from typing import Any

from integrations.base import Access, AccountCheck, IssueOrder, IssueOutcome, IssueResult, TakeBack
from integrations.errors import OutcomeUnknown, ProviderRejected
from integrations.providers.stripe import account, words
from integrations.providers.stripe.amounts import InexactAmount, to_stripe
from integrations.providers.stripe.client import Conversation, Missing
from integrations.providers.stripe.customers import PAGE, Json, NotIssuable, possible_customers, the_customer, waiting
from referral_rocket.kit.clock import wall

# Stripe keeps keys "at least 24 hours"; an hour is left for clocks that differ and requests under way.
KEY_LIFETIME = timedelta(hours=23)
# A credit can't be older than its first attempt; a day allows for clocks.
LOOK_BACK = timedelta(days=1)
REWARD_KEY = "reward_id"
UNDOES_KEY = "undoes"


class StripeCredit:
    """The payout adapter. See `integrations.base.PayoutAdapter`."""

    def issue(self, access: Access, order: IssueOrder) -> IssueResult:
        if order.first_attempt_at is not None and wall() - order.first_attempt_at > KEY_LIFETIME:
            done = self.look_up(access, order)
            if done is not None:
                return done
        talk = Conversation(access)
        try:
            amount = to_stripe(order.amount, order.currency)
            customer = the_customer(talk, order)
        except NotIssuable as reason:
            return reason.result(talk)
        except InexactAmount as error:
            raise ProviderRejected(f"{error} Choose another method.", exchanges=talk.exchanges) from error
        return _credit(talk, order, customer, amount)

    def look_up(self, access: Access, order: IssueOrder) -> IssueResult | None:
        talk = Conversation(access)
        for customer_id in possible_customers(talk, order):
            reference = _credit_on_record(talk, order, customer_id)
            if reference is not None:
                return _succeeded(talk, reference, customer_id)
        return None

    def check(self, access: Access) -> AccountCheck:
        return account.check(access)

    def take_back(self, access: Access, order: TakeBack) -> IssueResult:
        """A positive balance transaction, as long as the customer has that much credit left.

        Credit has no owner: what is left of it is the balance. Where an invoice uses it up between our look at the
        balance and the transaction, the customer would owe the rest; `ending_balance` shows that, and the transaction is
        undone by another one. Killed in between, the look-up doesn't take it for done, and this finishes it.
        """
        talk = Conversation(access)
        reason = _keeps_from_taking_back(talk, order)
        if reason is not None:
            return waiting(talk, "needs_a_person", reason)
        return _take_back(talk, order, to_stripe(order.amount, order.currency))

    def look_up_taken_back(self, access: Access, order: TakeBack) -> IssueResult | None:
        talk = Conversation(access)
        if order.issued_to is None:
            return None
        taken, undone = _taken_on_record(talk, order, order.issued_to)
        if undone is not None:
            return waiting(talk, "needs_a_person", words.CREDIT_SPENT)
        if taken is None or taken["ending_balance"] > 0:
            return None
        return _taken_back(talk, order, taken["id"])


# The credit ------------------------------------------------------------------------------------------------------


def _credit(talk: Conversation, order: IssueOrder, customer: Json, amount: int) -> IssueResult:
    try:
        with talk.writing():
            transaction = talk.api.customers.balance_transactions.create(
                customer["id"],
                {
                    "amount": -amount,
                    "currency": order.currency.lower(),
                    "description": order.description[:350],
                    "metadata": {**order.metadata, REWARD_KEY: str(order.reward_id)},
                },
                {"idempotency_key": order.idempotency_key},
            ).to_dict()
            reference = _confirmed(transaction, order, amount)
    except OutcomeUnknown as unknown:
        unknown.recipient_provider_id = customer["id"]
        raise
    except ProviderRejected as rejected:
        if rejected.code == "customer_not_found":
            return waiting(talk, rejected.code, rejected.message)
        raise
    if reference is None:
        raise OutcomeUnknown(words.UNREADABLE, recipient_provider_id=customer["id"], exchanges=talk.exchanges)
    return _succeeded(talk, reference, customer["id"])


def _confirmed(transaction: Json, order: IssueOrder, amount: int) -> str | None:
    """The transaction's id, where the answer is indeed the credit that was asked for."""
    if transaction.get("object") != "customer_balance_transaction" or transaction.get("amount") != -amount:
        return None
    if (transaction.get("metadata") or {}).get(REWARD_KEY) != str(order.reward_id):
        return None
    return transaction.get("id")


def _credit_on_record(talk: Conversation, order: IssueOrder, customer_id: str) -> str | None:
    params: dict[str, Any] = {"limit": PAGE}
    if order.first_attempt_at is not None:
        params["created"] = {"gte": int((order.first_attempt_at - LOOK_BACK).timestamp())}
    try:
        with talk.reading():
            page = talk.api.customers.balance_transactions.list(customer_id, params)  # type: ignore[arg-type]
            for transaction in page.auto_paging_iter():
                if (transaction.to_dict().get("metadata") or {}).get(REWARD_KEY) == str(order.reward_id):
                    return transaction.id
    except ProviderRejected as rejected:
        # A customer that is gone can't show what it had; an id that never was here had nothing.
        if rejected.code == "customer_not_found" and customer_id != order.sent_to:
            return None
        raise OutcomeUnknown(words.AGED_OUT, recipient_provider_id=customer_id, exchanges=talk.exchanges) from rejected
    return None


def _succeeded(talk: Conversation, reference: str, customer_id: str) -> IssueResult:
    return IssueResult(
        IssueOutcome.SUCCEEDED,
        sent=True,
        provider_reference=reference,
        recipient_provider_id=customer_id,
        message="Credited to the customer's balance.",
        exchanges=tuple(talk.exchanges),
    )


# Taking back -----------------------------------------------------------------------------------------------------


def _keeps_from_taking_back(talk: Conversation, order: TakeBack) -> str | None:
    """Why a person has to see to it, found by reading; None where it can be taken back or was begun."""
    if order.issued_to is None:
        return words.CREDIT_OF_NOBODY
    try:
        amount = to_stripe(order.amount, order.currency)
    except InexactAmount as error:
        return str(error)
    taken, undone = _taken_on_record(talk, order, order.issued_to)
    if undone is not None:
        return words.CREDIT_SPENT
    if taken is not None:
        return None
    try:
        with talk.reading():
            talk.api.customers.balance_transactions.retrieve(order.issued_to, order.issued_reference)
            customer = talk.api.customers.retrieve(order.issued_to).to_dict()
            # Credit is a negative balance.
            left = -customer["balance"] if not customer.get("deleted") else 0
    except Missing:
        return words.CREDIT_GONE
    return None if left >= amount else words.CREDIT_SPENT


def _take_back(talk: Conversation, order: TakeBack, amount: int) -> IssueResult:
    assert order.issued_to is not None
    taken, undone = _taken_on_record(talk, order, order.issued_to)
    if taken is None:
        taken = _change_balance(talk, order, amount, {REWARD_KEY: str(order.reward_id)}, order.idempotency_key)
    if undone is None and taken["ending_balance"] <= 0:
        return _taken_back(talk, order, taken["id"])
    if undone is None:
        mark = {REWARD_KEY: str(order.reward_id), UNDOES_KEY: taken["id"]}
        _change_balance(talk, order, -amount, mark, f"{order.idempotency_key}:undo")
    return waiting(talk, "needs_a_person", words.CREDIT_SPENT)


def _change_balance(talk: Conversation, order: TakeBack, amount: int, metadata: dict[str, str], key: str) -> Json:
    assert order.issued_to is not None
    try:
        with talk.writing():
            transaction = talk.api.customers.balance_transactions.create(
                order.issued_to,
                {
                    "amount": amount,
                    "currency": order.currency.lower(),
                    "description": words.TAKEN_BACK,
                    "metadata": metadata,
                },
                {"idempotency_key": key},
            ).to_dict()
            if transaction["amount"] != amount or transaction["metadata"] != metadata:
                raise OutcomeUnknown(words.UNREADABLE, exchanges=talk.exchanges)
            int(transaction["ending_balance"])
    except OutcomeUnknown as unknown:
        unknown.recipient_provider_id = order.issued_to
        raise
    return transaction


def _taken_on_record(talk: Conversation, order: TakeBack, customer_id: str) -> tuple[Json | None, Json | None]:
    """The transaction that took it back, and the one that undid that, as far as they were made."""
    if order.first_attempt_at is None:
        return None, None
    params = {"limit": PAGE, "created": {"gte": int((order.first_attempt_at - LOOK_BACK).timestamp())}}
    taken = undone = None
    try:
        with talk.reading():
            page = talk.api.customers.balance_transactions.list(customer_id, params)  # type: ignore[arg-type]
            for row in page.auto_paging_iter():
                transaction = row.to_dict()
                metadata = transaction["metadata"] or {}
                if metadata.get(REWARD_KEY) != str(order.reward_id):
                    continue
                if UNDOES_KEY in metadata:
                    undone = transaction
                else:
                    taken = transaction
    except Missing as gone:
        raise OutcomeUnknown(words.AGED_OUT, recipient_provider_id=customer_id, exchanges=talk.exchanges) from gone
    return taken, undone


def _taken_back(talk: Conversation, order: TakeBack, reference: str) -> IssueResult:
    return IssueResult(
        IssueOutcome.SUCCEEDED,
        sent=True,
        provider_reference=reference,
        recipient_provider_id=order.issued_to,
        message=words.TAKEN_BACK_CREDIT,
        exchanges=tuple(talk.exchanges),
    )
