"""What must be true of a campaign's rewards at every moment, looked up in the database."""

from collections import defaultdict

from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from rewards.models import Claim, Reward, RewardTotals, RewardTransition
from rewards.states import RewardStatus

_TO_DEDUCT = (RewardStatus.PENDING_DEDUCTION, RewardStatus.DEDUCTED)


def assert_books_agree(organization: Organization) -> None:
    """Totals equal the rows, history replays to each row, and no reward has two open claims."""
    with tenant(organization):
        rewards = list(Reward.objects.all())
        sums: dict[tuple[object, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
        for reward in rewards:
            line = sums[reward.campaign_id, reward.currency, reward.status]
            line[0] += 1
            line[1] += reward.amount
            line[2] += reward.target_amount
        totals = {
            (line.campaign_id, line.currency, line.status): [line.count, line.amount, line.target]
            for line in RewardTotals.objects.all()
            if (line.count, line.amount, line.target) != (0, 0, 0)
        }
        assert totals == dict(sums)

        replayed: dict[object, tuple[str | None, int]] = {}
        for step in RewardTransition.objects.order_by("id"):
            assert replayed.get(step.reward_id, (None, 0)) == (step.from_status, step.amount_before)
            replayed[step.reward_id] = (step.to_status, step.amount_after)
        assert replayed == {reward.pk: (reward.status, reward.amount) for reward in rewards}

        open_claims = list(Claim.objects.filter(closed_at__isnull=True).values_list("reward", flat=True))
        assert len(open_claims) == len(set(open_claims))


def assert_aggregates_are_their_parts(organization: Organization) -> None:
    """Each aggregate that isn't over comes to what its parts do, and each part is of one that is there."""
    with tenant(organization):
        sums: dict[object, int] = defaultdict(int)
        for part in Reward.objects.filter(status=RewardStatus.AGGREGATED):
            sums[part.aggregate_id] += -part.amount if part.deducts_id else part.amount
        made = Reward.objects.filter(parts_count__isnull=False)
        going_on = made.exclude(status=RewardStatus.CANCELED)
        assert {each.pk: -each.amount if each.status in _TO_DEDUCT else each.amount for each in going_on} == {
            each.pk: sums[each.pk] for each in going_on
        }
        assert sums.keys() == set(made.values_list("pk", flat=True))
