from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings

from participants.models import Customer, Participant
from referral_rocket.api.payloads.values import text_id
from referral_rocket.kit.clock import rfc3339


def participants(found: Sequence[Participant]) -> list[dict[str, Any]]:
    return [participant(each) for each in found]


def participant(found: Participant) -> dict[str, Any]:
    referrer = found.referred_by
    return {
        "participant_id": str(found.pk),
        "customer_id": str(found.customer_id),
        "campaign_id": str(found.campaign_id),
        "email": found.customer.email,
        "name": found.customer.pseudonym or found.customer.name,
        "external_id": found.customer.external_id,
        "referral_code": found.referral_code,
        "share_url": f"{settings.BASE_URL}/r/{found.referral_code}",
        "referred_by": (
            None
            if referrer is None
            else {"participant_id": text_id(referrer.pk), "referral_code": referrer.referral_code}
        ),
        "joined_at": rfc3339(found.joined_at),
    }


def customer(found: Customer, provider_ids: Mapping[str, str]) -> dict[str, Any]:
    return {
        "customer_id": str(found.pk),
        "email": found.email,
        "name": found.pseudonym or found.name,
        "external_id": found.external_id,
        "provider_ids": dict(provider_ids),
        "created_at": rfc3339(found.created_at),
        "erased_at": rfc3339(found.erased_at),
    }
