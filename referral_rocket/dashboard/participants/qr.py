"""A participant's share link as a QR code."""

from io import BytesIO
from typing import Any
from uuid import UUID

import segno
from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_safe

from participants.models import Participant


def share_link(participant: Participant) -> str:
    """The absolute address that the participant hands on."""
    return f"{settings.BASE_URL}{reverse('share_link', args=[participant.referral_code])}"


@require_safe
def code(request: Any, participant_id: UUID) -> HttpResponse:
    """An SVG with the quiet zone that scanners need, on white: dark mode must not invert it."""
    participant = get_object_or_404(Participant, pk=participant_id)
    picture = BytesIO()
    segno.make(share_link(participant), error="m").save(picture, kind="svg", scale=6, border=4, light="#ffffff")
    response = HttpResponse(picture.getvalue(), content_type="image/svg+xml")
    response["Content-Disposition"] = f'inline; filename="{participant.referral_code}.svg"'
    return response
