from datetime import UTC, datetime
from uuid import RFC_4122

from referral_rocket.kit.ids import uuid7, uuid7_many


def test_it_works() -> None:
    before = datetime.now(UTC).timestamp()
    made = uuid7_many(1000)

    assert len(set(made)) == 1000
    assert {(each.version, each.variant) for each in made} == {(7, RFC_4122)}
    assert all(abs((each.int >> 80) / 1000 - before) < 5 for each in made)
    assert uuid7_many(0) == []
    assert uuid7().version == 7
