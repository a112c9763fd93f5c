"""Reconciliation: what was left unknown is looked up, and our totals, history and the providers are held together.

Unknown outcomes are looked up by the runner, under its lease. Nothing is ever sent from here, and nothing is changed but
findings.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from rewards.reconciliations import Finding, Reconciliation
from rewards.services.issuing import look_up_unknown
from rewards.services.reconciling import runs
from rewards.services.reconciling.findings import ACTOR

# How often it is looked whether another worker has gone on with it.
_LOOK_EVERY = 0.2


@dataclass(frozen=True)
class Disagreement:
    """Something that doesn't agree, in words that say where to look."""

    organization: Organization
    message: str

    def __str__(self) -> str:
        return f"{self.organization.slug}: {self.message}"


def reconcile(*, days: int) -> Iterator[Disagreement]:
    """Everything that doesn't agree, organization by organization; what was issued in the last `days` is looked up.

    It is carried out here, or awaited where another worker is at it. What a person has settled is left out.
    """
    for organization in Organization.objects.order_by("pk"):
        for item in look_up_unknown(organization=organization):
            yield Disagreement(organization, f"reward {item.reward_id}: still unknown. {item.message}")
        ended = _carried_out(organization, days)
        for remark in ended.remarks:
            yield Disagreement(organization, remark)
        last = None
        while True:
            with tenant(organization):
                open_findings = Finding.objects.filter(settled_at__isnull=True).order_by("pk")
                page = list((open_findings.filter(pk__gt=last) if last else open_findings)[:100])
            for finding in page:
                yield Disagreement(organization, finding.message)
            if len(page) < 100:
                break
            last = page[-1].pk


def _carried_out(organization: Organization, days: int) -> Reconciliation:
    with tenant(organization):
        try:
            begun = runs.reconciliation_begin(organization=organization, days=days, actor=ACTOR)
        except runs.AlreadyUnderWay as under_way:
            begun = under_way.reconciliation
    while True:
        runs.run(only=begun.pk, gives_way=False)
        with tenant(organization):
            begun = Reconciliation.objects.get(pk=begun.pk)
        if begun.finished_at is not None:
            return begun
        time.sleep(_LOOK_EVERY)
