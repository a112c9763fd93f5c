"""A file of 100,000 participants who referred one another: `python -m embedded.throwaway python -m benchmarks.importing`.

Baseline, measured in the same run on the same connection: the least that an import has to write, as bare INSERTs of the
same rows: a customer, a participant and a line of activity for each, without file, check, row-level security, indexes,
keys or Python. Memory is what the process holds at its highest, early on and at the end of each step.
"""

import io
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.setting import prepare, show

prepare()

from django.db import connection  # noqa: E402 - the apps have to be loaded first

from participants.importing import running, working  # noqa: E402
from participants.importing.models import ImportStatus, ParticipantImport  # noqa: E402
from participants.importing.services import import_start, import_undo, import_upload  # noqa: E402
from participants.importing.work import Work  # noqa: E402
from participants.models import Participant  # noqa: E402
from referral_rocket.accounts.scoping import tenant  # noqa: E402
from tests import factories  # noqa: E402
from tests.participants.importing.files import map_as_guessed  # noqa: E402

AIM = 1000
ROW_BYTES = (260, 180, 200)


def file_of(rows: int) -> bytes:
    """Referrers stand in the file now before, now after those whom they brought; a hundredth of the rows is wrong."""
    lines = ["id,email,first name,last name,token,referred by,created at,paypal email\r\n"]
    for number in range(rows):
        by = f"token-{(number * 7919) % rows}" if number % 3 and (number * 7919) % rows % 3 == 0 else ""
        email = "nobody" if number % 100 == 99 else f"person{number}@example.com"
        lines.append(f"{number},{email},First{number},Last,token-{number},{by},2025-03-{number % 28 + 1:02},\r\n")
    return "".join(lines).encode()


def highest_memory() -> float:
    """MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def bare_rate(rows: int) -> float:
    """Rows a second of which the same is written and nothing else."""
    with connection.cursor() as cursor:
        for place in range(len(ROW_BYTES)):
            cursor.execute(f"CREATE TABLE bench_row_{place} (id uuid PRIMARY KEY, body text)")
        begun = time.perf_counter()
        for start in range(0, rows, running.CHUNK):
            for place, size in enumerate(ROW_BYTES):
                cursor.execute(
                    f"INSERT INTO bench_row_{place} SELECT gen_random_uuid(), repeat('x', %s) FROM generate_series(1, %s)",
                    [size, min(running.CHUNK, rows - start)],
                )
        return rows / (time.perf_counter() - begun)


def timed(step: Callable[[], Any], marks: list[float]) -> float:
    """Seconds; the highest memory after each part goes into `marks`."""
    real = Work.write

    def marked(self: Work, **values: Any) -> None:
        marks.append(highest_memory())
        real(self, **values)

    Work.write = marked  # type: ignore[method-assign]
    begun = time.perf_counter()
    step()
    Work.write = real  # type: ignore[method-assign]
    return time.perf_counter() - begun


def work() -> None:
    while working.work_on():
        pass


def main(rows: int) -> int:
    organization = factories.organization()
    campaign = factories.campaign(organization)
    content = file_of(rows)
    size, file = len(content), io.BytesIO(content)
    begun = time.perf_counter()
    with tenant(organization):
        made = import_upload(
            organization=organization, file=file, file_name="bench.csv", size=size, actor="system:bench"
        )
    print(f"upload: {rows / (time.perf_counter() - begun):,.0f} rows/s, {size / 1e6:.1f} MB")
    map_as_guessed(campaign, made)
    marks: dict[str, list[float]] = {"check": [], "import": [], "undo": []}
    check = timed(work, marks["check"])
    print(f"check: {rows / check:,.0f} rows/s")
    with tenant(organization):
        import_start(participant_import=made, actor="system:bench")
    run = timed(work, marks["import"])
    with tenant(organization):
        ended = ParticipantImport.objects.get(pk=made.pk)
        wanted = rows - rows // 100
        assert ended.status == ImportStatus.FINISHED, (ended.status, ended.message)
        assert ended.figures["created"] + ended.figures["wrong"] == rows, ended.figures
        assert Participant.objects.count() == ended.figures["created"] <= wanted
        import_undo(participant_import=made, actor="system:bench")
    undo = timed(work, marks["undo"])
    with tenant(organization):
        assert Participant.objects.count() == 0
    figure = rows / run
    show("import", figure, bare_rate(rows), "bare rows")
    print(f"check and import together: {rows / (check + run):,.0f} rows/s; undo: {rows / undo:,.0f} rows/s")
    fine = figure >= AIM
    for step, seen in marks.items():
        early, late = seen[min(10, len(seen) - 1)], seen[-1]
        flat = late <= early * 1.1
        fine = fine and flat
        print(
            f"{'ok  ' if flat else 'MISS'} memory of {step}: {early:.0f} MB after ten of {len(seen)} parts, {late:.0f} at the end"
        )
    print(f"{'ok  ' if figure >= AIM else 'MISS'} {figure:,.0f} rows/s (aim {AIM:,})")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
