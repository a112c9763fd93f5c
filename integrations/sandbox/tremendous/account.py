"""What the account has: its balance, orders by external id, rewards; and how it says no."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from integrations.sandbox.store import Store
from integrations.sandbox.tremendous import shapes

Json = dict[str, Any]
PROVIDER = "tremendous"
BALANCE = "50000"
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
# Currencies of the stand-in's account, in units of its own currency; enough for a balance to be spent from.
RATES = {"USD": Decimal(1), "EUR": Decimal("1.1"), "GBP": Decimal("1.25")}


class Refused(Exception):
    def __init__(self, status: int, message: str, payload: Json | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = shapes.error(status, message, payload)


class Account:
    """One account, live or of the sandbox."""

    def __init__(self, store: Store, livemode: bool) -> None:
        self._store = store
        self._livemode = livemode

    @property
    def settings(self) -> Json:
        name = f"account:{'live' if self._livemode else 'test'}"
        kept = self._store.get(PROVIDER, self._livemode, "account", name) or {}
        # `next_status` is what orders become: EXECUTED, or a state in which they wait.
        return {"id": name, "balance": BALANCE, "next_status": "EXECUTED", **kept}

    def change(self, **settings: Any) -> None:
        self._store.put(PROVIDER, self._livemode, "account", {**self.settings, **settings})

    # Reading -----------------------------------------------------------------------------------------------------

    def balance(self) -> Decimal:
        return Decimal(self.settings["balance"])

    def order(self, known_as: str) -> Json | None:
        """By its id or its external id, as Tremendous allows."""
        by_external = self._store.find(PROVIDER, "order", livemode=self._livemode, lookup=known_as)
        return by_external[0] if by_external else self._store.get(PROVIDER, self._livemode, "order", known_as)

    def orders(self, external_id: str | None = None) -> list[Json]:
        return self._store.find(PROVIDER, "order", livemode=self._livemode, lookup=external_id)

    def order_of(self, reward_id: str) -> Json | None:
        found = self._store.find(
            PROVIDER,
            "order",
            livemode=self._livemode,
            limit=1,
            keep=lambda order: order["rewards"][0]["id"] == reward_id,
        )
        return found[0] if found else None

    # Ordering ----------------------------------------------------------------------------------------------------

    def make(self, wanted: Json) -> tuple[Json, bool]:
        """The order and whether it is new: one external id has one order, whoever asks at the same time."""
        with self._store.transaction():
            external = wanted.get("external_id")
            there = self.orders(external) if external else []
            if there:
                return there[0], False
            amount = self._checked(wanted)
            settings = self.settings
            status = settings["next_status"]
            if status == "EXECUTED":
                self._pay(amount)
            made = shapes.order(wanted, status, amount)
            self._store.put(PROVIDER, self._livemode, "order", made, lookup=external or "")
            return made, True

    def _checked(self, wanted: Json) -> Decimal:
        """What it costs in the account's currency. Raises Refused, naming the field in the payload."""
        reward = wanted.get("reward")
        if not isinstance(reward, dict):
            raise Refused(400, "Order failed: validation failure", {"reward": "is missing"})
        if (wanted.get("payment") or {}).get("funding_source_id") not in ("BALANCE", shapes.FUNDING):
            raise _invalid({"payment": {"funding_source_id": "This funding source can't be used for orders by API."}})
        if not EMAIL.fullmatch((reward.get("recipient") or {}).get("email") or ""):
            raise _invalid({"reward": {"recipient": {"email": "is not a valid email"}}})
        value = reward.get("value") or {}
        currency = value.get("currency_code", "USD")
        if not isinstance(value.get("denomination"), int | float | Decimal) or currency not in RATES:
            raise _invalid({"reward": {"value": {"denomination": "is invalid"}}})
        amount = Decimal(str(value["denomination"]))
        if amount <= 0:
            raise _invalid({"reward": {"value": {"denomination": "must be greater than 0"}}})
        self._check_products(reward, amount, currency)
        return amount * RATES[currency]

    def _check_products(self, reward: Json, amount: Decimal, currency: str) -> None:
        wanted = reward.get("products") or []
        if reward.get("campaign_id") not in (None, shapes.CAMPAIGN):
            raise _invalid({"reward": {"campaign_id": "There is no such campaign."}})
        if not wanted and not reward.get("campaign_id"):
            raise _invalid({"reward": {"products": "Either products or campaign_id must be specified."}})
        ids = wanted or shapes.campaign()["products"]
        fit = [
            each
            for each in shapes.products()
            if each["id"] in ids
            and currency in each["currency_codes"]
            and each["skus"][0]["min"] <= amount <= each["skus"][0]["max"]
        ]
        if not fit:
            raise _invalid({"reward": {"products": "None of the products supports this amount."}})

    def _pay(self, amount: Decimal) -> None:
        left = self.balance() - amount
        if left < 0:
            raise Refused(402, "Your balance is too low to pay for this order.")
        self.change(balance=str(left))

    # What happens afterwards -------------------------------------------------------------------------------------

    def become(self, order_id: str, status: str) -> Json:
        """Approved, canceled, failed: an order that is executed is paid for, one that ends gives the money back."""

        def change(made: Json) -> Json:
            amount = Decimal(str(made["payment"]["total"]))
            if status == "EXECUTED" and made["status"] != "EXECUTED":
                self._pay(amount)
            if status == "CANCELED" and made["status"] == "EXECUTED":
                self.change(balance=str(self.balance() + amount))
                refund = {"total": shapes.number(amount), "currency_code": "USD"}
                return {**made, "status": status, "payment": {**made["payment"], "refund": refund}}
            return {**made, "status": status}

        return self._change(order_id, change)

    def deliver(self, order_id: str, status: str) -> Json:
        def change(made: Json) -> Json:
            reward = made["rewards"][0]
            return {**made, "rewards": [{**reward, "delivery": {**reward["delivery"], "status": status}}]}

        return self._change(order_id, change)

    def _change(self, order_id: str, change: Callable[[Json], Json]) -> Json:
        with self._store.transaction():
            made = self.order(order_id)
            if made is None:
                raise KeyError(f"no order {order_id}")
            made = change(made)
            self._store.put(PROVIDER, self._livemode, "order", made, lookup=made["external_id"] or "")
            return made


def _invalid(payload: Json) -> Refused:
    return Refused(422, "Order failed: validation failure", payload)
