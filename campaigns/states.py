"""What a campaign's status may become. An ended campaign stays ended: duplicate it to run it again."""

from campaigns.models import CampaignStatus
from referral_rocket.kit.transitions import Transitions

CAMPAIGN_TRANSITIONS: Transitions[str] = Transitions(
    {
        CampaignStatus.DRAFT: frozenset({CampaignStatus.ACTIVE, CampaignStatus.ENDED}),
        CampaignStatus.ACTIVE: frozenset({CampaignStatus.PAUSED, CampaignStatus.ENDED}),
        CampaignStatus.PAUSED: frozenset({CampaignStatus.ACTIVE, CampaignStatus.ENDED}),
        CampaignStatus.ENDED: frozenset(),
    }
)
