"""System checks of what settings say about providers. They run at every start."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from integrations.providers.wise.payment_file import COLUMNS


def columns_are_known(**kwargs: Any) -> list[CheckMessage]:
    unknown = [name for name in settings.WISE_FILE_COLUMNS if name not in COLUMNS]
    if not unknown:
        return []
    return [
        Error(
            f"WISE_FILE_COLUMNS names what is no column: {', '.join(unknown)}.",
            hint=f"The columns are {', '.join(COLUMNS)}.",
            id="rocket.E008",
        )
    ]
