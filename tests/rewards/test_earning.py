
from tests import factories


def test_it_works(referred, participant):
    result = factories.event(referred)

    assert result.outcome == "QUALIFIED"
    assert [(reward.participant_id, reward.amount, reward.status) for reward in result.rewards] == [
        (participant.pk, 1200, "PENDING")
    ]
