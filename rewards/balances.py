"""What a customer has earned, is owed and was given, over all campaigns."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Sum

from rewards.models import Reward
from rewards.states import RewardStatus


@dataclass
class Balance:
    """Sums of one currency in minor units. `earned` isn't due yet; `to_deduct` is still to be taken back."""

    currency: str
    earned: int = 0
    due: int = 0
    issued: int = 0
    deducted: int = 0
    to_deduct: int = 0


# Parts of an aggregate (AGGREGATED) count by their aggregate, and what was canceled counts nowhere.
_COUNTED = {
    RewardStatus.EARNED: "earned",
    RewardStatus.PENDING: "due",
    RewardStatus.AVAILABLE: "issued",
    RewardStatus.DEDUCTED: "deducted",
    RewardStatus.PENDING_DEDUCTION: "to_deduct",
}


def balances(customer_id: UUID) -> list[Balance]:
    """A balance for each currency in which the customer has a reward, by its code. One query, inside `tenant()`."""
    found: dict[str, Balance] = {}
    rows = (
        Reward.objects.filter(customer=customer_id)
        .order_by("currency")
        .values_list("currency", "status")
        .annotate(sum=Sum("amount"))
    )
    for currency, status, amount in rows:
        balance = found.setdefault(currency, Balance(currency))
        if status in _COUNTED:
            setattr(balance, _COUNTED[RewardStatus(status)], amount)
    return list(found.values())
