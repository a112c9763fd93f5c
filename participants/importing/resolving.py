"""What rows are to one another and to who is there already: set-based, over the whole file in one transaction.

It reads and writes only the rows of the import, so it can be done again from the start however often it is killed. Memory
stays the same however many rows there are. Under row-level security only `=` and ranges use an index; the organization is
named beside them, since the planner knows nothing of how many rows a policy leaves.
"""
# ruff: noqa: S608 - statements are put together from the constants of this module alone

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import Count

from participants.importing.models import Attributed, Existing, ImportRow, ParticipantImport, RowState
from referral_rocket.kit import clock

_WRONG = "state = 'WRONG', problem = %(problem)s, reason = "
_MINE = "r.organization_id = %(organization)s AND r.participant_import_id = %(import)s"
_TARGET = "t.organization_id = %(organization)s AND t.participant_import_id = %(import)s"
_FINE = "r.state IN ('NEW', 'EXISTING')"

# What an earlier check with other columns had found.
_FORGET = f"""
UPDATE participants_importrow r SET referrer_line = NULL, referrer_id = NULL, wave = NULL
WHERE {_MINE} AND (r.referrer_line IS NOT NULL OR r.referrer_id IS NOT NULL OR r.wave IS NOT NULL)
"""

# Later rows that say the same of somebody else.
_TWICE = f"""
UPDATE participants_importrow r
SET {_WRONG} format(%(text)s, t.first)
FROM (
    SELECT id, first_value(line) OVER (PARTITION BY {{column}} ORDER BY line) AS first, row_number() OVER
        (PARTITION BY {{column}} ORDER BY line) AS place
    FROM participants_importrow r WHERE {_MINE} AND {_FINE} AND {{column}} <> ''
) t
WHERE {_MINE} AND r.id = t.id AND t.place > 1
"""

_EXISTING = f"""
UPDATE participants_importrow r SET state = 'EXISTING', participant_id = p.id
FROM participants_customer c
JOIN participants_participant p ON p.customer_id = c.id AND p.campaign_id = %(campaign)s
WHERE {_MINE} AND r.state = 'NEW' AND c.organization_id = %(organization)s AND c.email_key = r.email_key
"""

_CODE_TAKEN = f"""
UPDATE participants_importrow r SET {_WRONG} format(%(text)s, r.code)
WHERE {_MINE} AND r.state = 'NEW' AND r.code_owner IS NOT NULL
"""

_ID_TAKEN = f"""
UPDATE participants_importrow r SET {_WRONG} format(%(text)s, r.external_id)
FROM participants_customer c
WHERE {_MINE} AND r.state = 'NEW' AND r.external_id <> '' AND c.organization_id = %(organization)s
    AND c.external_id = r.external_id AND c.email_key <> r.email_key
"""

# Whom a referrer's id, e-mail or code names in the file itself: the row that stands, else one that is wrong.
_BY_ROW = f"""
UPDATE participants_importrow r SET referrer_line = t.line
FROM (
    SELECT {{target}} AS name, (array_agg(line ORDER BY t.state = 'WRONG', line))[1] AS line,
        count(*) FILTER (WHERE t.state <> 'WRONG') AS number
    FROM participants_importrow t WHERE {_TARGET} AND {{target}} <> '' GROUP BY {{target}}
) t
WHERE {_MINE} AND {_FINE} AND r.{{column}} <> '' AND t.name = r.{{column}} AND t.number <= 1 AND {{besides}}
"""
# An id that two rows have names nobody; an id that is somebody else's code as well names two people.
_AMBIGUOUS = f"""
UPDATE participants_importrow r SET {_WRONG} format(%(text)s, left(r.values->>'referrer', 80))
FROM (
    SELECT code AS name, min(line) AS line, NULL::uuid AS owner FROM participants_importrow t
    WHERE {_TARGET} AND code <> '' GROUP BY code
) t
WHERE {_MINE} AND {_FINE} AND r.referrer_key <> '' AND t.name = r.referrer_code AND r.referrer_line <> t.line
"""
_SHARED_KEY = f"""
UPDATE participants_importrow r SET {_WRONG} format(%(text)s, left(r.values->>'referrer', 80))
FROM (
    SELECT key AS name FROM participants_importrow t WHERE {_TARGET} AND key <> '' AND t.state <> 'WRONG'
    GROUP BY key HAVING count(*) > 1
) t
WHERE {_MINE} AND {_FINE} AND r.referrer_key <> '' AND t.name = r.referrer_key
"""
_BY_EMAIL_THERE = f"""
UPDATE participants_importrow r SET referrer_id = p.id
FROM participants_customer c
JOIN participants_participant p ON p.customer_id = c.id AND p.campaign_id = %(campaign)s
WHERE {_MINE} AND {_FINE} AND r.referrer_email <> '' AND c.organization_id = %(organization)s
    AND c.email_key = r.referrer_email
"""
_BY_CODE_THERE = f"""
UPDATE participants_importrow r SET referrer_id = p.id
FROM participants_participant p JOIN participants_customer c ON c.id = p.customer_id
WHERE {_MINE} AND {_FINE} AND r.referrer_code <> '' AND r.referrer_line IS NULL AND p.referral_code = r.referrer_code
    AND p.organization_id = %(organization)s AND p.campaign_id = %(campaign)s AND c.erased_at IS NULL
"""
# A row of somebody who is there already stands for that participant.
_ROW_IS_THERE = f"""
UPDATE participants_importrow r SET referrer_id = t.participant_id
FROM participants_importrow t
WHERE {_MINE} AND {_FINE} AND r.referrer_line IS NOT NULL AND r.referrer_id IS NULL AND {_TARGET}
    AND t.line = r.referrer_line AND t.state = 'EXISTING'
"""
_SELF = f"""
UPDATE participants_importrow r SET {_WRONG} %(text)s
WHERE {_MINE} AND {_FINE} AND (r.referrer_line = r.line OR r.referrer_id = r.participant_id)
"""
_THERE_FIRST = f"UPDATE participants_importrow r SET referrer_line = NULL WHERE {_MINE} AND r.referrer_id IS NOT NULL AND r.referrer_line IS NOT NULL"
_UNKNOWN = f"""
UPDATE participants_importrow r SET {_WRONG} format(%(text)s, left(r.values->>'referrer', 80))
WHERE {_MINE} AND {_FINE} AND r.referrer_line IS NULL AND r.referrer_id IS NULL
    AND (r.referrer_email <> '' OR r.referrer_code <> '' OR r.referrer_key <> '')
"""
# Who stays as they are has no use for a referrer; nothing about it can be wrong.
_LEFT_ALONE = f"""
UPDATE participants_importrow r SET referrer_email = '', referrer_code = '', referrer_key = ''
WHERE {_MINE} AND r.state = 'EXISTING' AND (r.referrer_email <> '' OR r.referrer_code <> '' OR r.referrer_key <> '')
"""
_WAVES = f"""
WITH RECURSIVE tree AS (
    SELECT r.line, 0 AS wave FROM participants_importrow r WHERE {_MINE} AND {_FINE} AND r.referrer_line IS NULL
    UNION ALL
    SELECT r.line, tree.wave + 1 FROM tree
    JOIN participants_importrow r ON {_MINE} AND r.referrer_line = tree.line AND {_FINE}
)
UPDATE participants_importrow r SET wave = tree.wave FROM tree WHERE {_MINE} AND r.line = tree.line
"""
_BELOW_WRONG = f"""
WITH RECURSIVE below AS (
    SELECT r.line FROM participants_importrow t
    JOIN participants_importrow r ON {_MINE} AND r.referrer_line = t.line AND {_FINE}
    WHERE {_TARGET} AND t.state = 'WRONG'
    UNION
    SELECT r.line FROM below JOIN participants_importrow r ON {_MINE} AND r.referrer_line = below.line AND {_FINE}
)
UPDATE participants_importrow r SET {_WRONG} format(%(text)s, r.referrer_line)
FROM below WHERE {_MINE} AND r.line = below.line
"""
_CIRCLE = f"""
UPDATE participants_importrow r SET {_WRONG} %(text)s WHERE {_MINE} AND {_FINE} AND r.wave IS NULL
"""


def rows_resolve(participant_import: ParticipantImport) -> dict[str, Any]:
    """Settle what each row of a file that was read is; inside `tenant()`. Answers the figures of the preview."""
    scope = {
        "organization": participant_import.organization_id,
        "import": participant_import.pk,
        "campaign": participant_import.campaign_id,
    }
    with connection.cursor() as cursor:
        # So many rows are new to the planner: without knowing of them it would choose nested loops.
        cursor.execute("ANALYZE participants_importrow")

        def run(sql: str, problem: str = "", text: str = "") -> None:
            cursor.execute(sql, {**scope, "problem": problem, "text": text})

        run(_FORGET)
        run(_TWICE.format(column="email_key"), "duplicate", "The same e-mail address stands on line %s already.")
        run(_EXISTING)
        run(_TWICE.format(column="code"), "duplicate_code", "The same referral code stands on line %s already.")
        run(_TWICE.format(column="external_id"), "duplicate_id", "The same id of yours stands on line %s already.")
        run(_CODE_TAKEN, "code_taken", "The referral code %s is in use already, by somebody else.")
        run(_ID_TAKEN, "id_taken", "Another customer has your id %s.")
        if participant_import.existing == Existing.LEAVE:
            run(_LEFT_ALONE)
        _find_referrers(run)
        run(_WAVES)
        run(_BELOW_WRONG, "referrer_wrong", "The referrer, on line %s, can't be imported.")
        run(_CIRCLE, "circle", "These people referred one another in a circle.")
    return figures_of(participant_import)


def _find_referrers(run: Any) -> None:
    run(_SHARED_KEY, "ambiguous_referrer", "Several rows have the id “%s”, so it names nobody.")
    run(_BY_ROW.format(target="key", column="referrer_key", besides="true"))
    run(_AMBIGUOUS, "ambiguous_referrer", "“%s” is one person's id and another one's code.")
    run(_BY_ROW.format(target="email_key", column="referrer_email", besides="true"))
    run(_BY_ROW.format(target="code", column="referrer_code", besides="r.referrer_line IS NULL"))
    run(_BY_EMAIL_THERE)
    run(_BY_CODE_THERE)
    run(_ROW_IS_THERE)
    run(_SELF, "self_referral", "Nobody refers themselves.")
    run(_THERE_FIRST)
    run(_UNKNOWN, "unknown_referrer", "Nobody is found by “%s”, neither in the campaign nor in the file.")


def figures_of(participant_import: ParticipantImport) -> dict[str, Any]:
    """Numbers of rows by what they are; of what is wrong, by kind; of what the page says beforehand."""
    rows = ImportRow.objects.filter(participant_import=participant_import)
    by_state: Mapping[str, int] = dict(rows.values_list("state").annotate(Count("pk")).order_by())
    problems = rows.filter(state=RowState.WRONG).values_list("problem").annotate(number=Count("pk")).order_by("-number")
    new = rows.filter(state=RowState.NEW)
    return {
        "new": by_state.get(RowState.NEW, 0),
        "existing": by_state.get(RowState.EXISTING, 0),
        "wrong": by_state.get(RowState.WRONG, 0),
        "problems": [{"code": code, "number": number} for code, number in problems],
        "referred": new.exclude(referrer_line=None, referrer_id=None).count(),
        "banned": new.filter(values__has_key="ban_reason").count(),
        "past_window": _past_window(participant_import),
    }


def _past_window(participant_import: ParticipantImport) -> int:
    """Referrals whose attribution window is over by now, so that they will earn nothing."""
    campaign = participant_import.campaign
    if campaign is None or participant_import.attributed == Attributed.IMPORTED:
        return 0
    since = clock.now(participant_import.organization) - timedelta(days=campaign.attribution_window_days)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT count(*) FROM participants_importrow r
            WHERE {_MINE} AND r.state = 'NEW' AND (r.referrer_line IS NOT NULL OR r.referrer_id IS NOT NULL)
                AND (r.values->>'joined_at')::timestamptz < %(since)s
            """,
            {"organization": participant_import.organization_id, "import": participant_import.pk, "since": since},
        )
        (number,) = cursor.fetchone()
    return int(number)
