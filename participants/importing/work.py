"""A worker's hold on one import: the lease, the time that it may take, and writing under that lease."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from participants.importing.models import ImportRow, ImportStatus, ParticipantImport
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit import clock
from referral_rocket.kit.leases import Lease, LeaseLost

# So long one import is worked on at a stretch; then others have their turn.
SECONDS = 20.0
ACTOR = "system:import"


@dataclass
class Work:
    organization: Organization
    participant_import: ParticipantImport
    lease: Lease
    seconds: float = SECONDS
    begun: float = field(default_factory=time.monotonic)

    def is_over(self) -> bool:
        return time.monotonic() - self.begun > self.seconds

    def current(self) -> ParticipantImport:
        with tenant(self.organization):
            return ParticipantImport.objects.select_related("organization", "campaign").get(
                pk=self.participant_import.pk
            )

    def hold(self) -> ParticipantImport:
        """The import under lock, first thing in a transaction, inside `tenant()`: of two workers only one goes on.

        Raises LeaseLost where another has taken it over.
        """
        held = (
            ParticipantImport.objects.select_for_update(no_key=True, of=("self",))
            .select_related("organization", "campaign")
            .filter(pk=self.participant_import.pk, lease_token=self.lease.token)
            .first()
        )
        if held is None:
            raise LeaseLost
        self.lease = self.lease.renewed()
        ParticipantImport.objects.filter(pk=held.pk).update(leased_until=self.lease.until)
        return held

    def in_parts(
        self,
        next_part: Callable[[ParticipantImport], Sequence[ImportRow]],
        deal_with: Callable[[ParticipantImport, Sequence[ImportRow]], None],
        finish: Callable[["Work", ParticipantImport], None],
    ) -> bool:
        """Part by part, each a transaction, until nothing is left or the time is over; whether it is done.

        Killed before a part's commit, the part is as it was and is dealt with again; after it, it isn't among the next.
        """
        while not self.is_over():
            with tenant(self.organization):
                held = self.hold()
                rows = next_part(held)
                if not rows:
                    finish(self, held)
                    return True
                deal_with(held, rows)
                self.write(done=min(held.done + len(rows), held.total), attempts=0)
        return False

    def write(self, **values: Any) -> None:
        """In the transaction of a `hold`."""
        ParticipantImport.objects.filter(pk=self.participant_import.pk).update(**values)

    def end(self, status: str, outcome: Mapping[str, int] | None = None, **values: Any) -> None:
        """In the transaction of a `hold`: nothing more is to be done for now. `outcome` goes on record: rows by what
        became of them."""
        kinds = {
            ImportStatus.FINISHED: "import.finished",
            ImportStatus.UNDONE: "import.undone",
            ImportStatus.FAILED: "import.failed",
        }
        self.write(status=status, next_attempt_at=None, leased_until=None, lease_token=None, **values)
        if status in kinds:
            said = {name: number for name, number in (outcome or {}).items() if number}
            happening = Happening(
                kinds[ImportStatus(status)],
                "import",
                self.participant_import.pk,
                self.participant_import.campaign_id,
                said,
            )
            record(organization=self.organization, actor=ACTOR, happenings=[happening])

    def put_back(self) -> None:
        """Give it up for now, behind others that wait."""
        with tenant(self.organization):
            ParticipantImport.objects.filter(pk=self.participant_import.pk, lease_token=self.lease.token).update(
                leased_until=None, lease_token=None, next_attempt_at=clock.wall()
            )
