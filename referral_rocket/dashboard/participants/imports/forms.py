"""What can be said about a file of participants."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.conf import settings
from django_scopes.forms import SafeModelChoiceField

from campaigns.models import Campaign, CampaignStatus
from participants.importing.cells import AUTO, REFERRER_BY
from participants.importing.dates import FORMATS, guessed_format
from participants.importing.fields import FIELDS, JOINED, Field, guessed_mapping
from participants.importing.models import Attributed, Existing, ParticipantImport
from participants.importing.reading import DELIMITERS

# A tab would be trimmed off on its way through a form.
_WORDS = {"comma": ",", "semicolon": ";", "tab": "\t"}
# What a column's choice shows of its first value.
_SAMPLE = 28


class UploadForm(forms.Form):
    file = forms.FileField(label="CSV file", widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,text/csv"}))
    delimiter = forms.ChoiceField(
        label="Columns are separated by",
        required=False,
        choices=[("", "Find out"), *((word, DELIMITERS[sign]) for word, sign in _WORDS.items())],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["file"].help_text = (
            f"Up to {settings.IMPORT_MAX_ROWS:,} rows and {settings.IMPORT_MAX_BYTES / 1_000_000:.0f} MB, in UTF-8, UTF-16"
            " or Windows-1252. The first line names the columns."
        )

    def clean_delimiter(self) -> str | None:
        return _WORDS.get(self.cleaned_data["delimiter"])


class ColumnsForm(forms.Form):
    """Which column is what, guessed beforehand; `mapping` of the cleaned data is what the service takes."""

    campaign = SafeModelChoiceField(queryset=Campaign.objects.none(), empty_label="Choose a campaign")

    def __init__(
        self, data: Any = None, *, shown: ParticipantImport, samples: Sequence[Sequence[str]], campaign: str = ""
    ) -> None:
        super().__init__(data)
        mapping = shown.mapping or guessed_mapping(shown.columns)
        self._campaigns(shown, campaign)
        columns = [("", "Not in the file"), *_choices(shown.columns, samples)]
        for field in FIELDS:
            self.fields[field.name] = forms.ChoiceField(
                label=field.label,
                help_text=field.help,
                required=field.required,
                choices=columns,
                initial=mapping.get(field.name, ""),
                error_messages={"required": f"Say which column is the {field.label}."},
            )
        dates = samples[mapping[JOINED.name]] if JOINED.name in mapping else ()
        self._choice("date_format", "Dates are written", FORMATS.items(), shown.date_format or guessed_format(dates))
        self._choice("referrer_by", "Referrers are named", REFERRER_BY.items(), shown.referrer_by or AUTO)
        self._choice("existing", "People who are in the campaign already", Existing.choices, shown.existing)
        self._choice("attributed", "The attribution window of referrals runs", Attributed.choices, shown.attributed)
        self.fields[
            "attributed"
        ].help_text = "From the day of joining, old referrals may be past it and earn nothing; the check says how many."

    def _campaigns(self, shown: ParticipantImport, campaign: str) -> None:
        open_ones = Campaign.objects.exclude(status=CampaignStatus.ENDED).order_by("name", "pk")
        field = self.fields["campaign"]
        field.queryset = open_ones  # type: ignore[attr-defined]
        found = list(open_ones.values_list("pk", flat=True)[:2])
        field.initial = shown.campaign_id or campaign or (found[0] if len(found) == 1 else None)

    def _choice(self, name: str, label: str, choices: Any, initial: str) -> None:
        self.fields[name] = forms.ChoiceField(label=label, choices=list(choices), initial=initial)

    def column_fields(self) -> list[tuple[Field, Any]]:
        return [(field, self[field.name]) for field in FIELDS]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        cleaned["mapping"] = {field.name: int(cleaned[field.name]) for field in FIELDS if cleaned.get(field.name)}
        return cleaned

    def choices_made(self) -> dict[str, Any]:
        names = ("campaign", "mapping", "date_format", "referrer_by", "existing", "attributed")
        return {name: self.cleaned_data[name] for name in names}


def _choices(columns: Sequence[str], samples: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    return [
        (str(place), f"{column} · {_short(samples[place][0])}" if samples[place] else column)
        for place, column in enumerate(columns)
    ]


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SAMPLE else f"{text[: _SAMPLE - 1]}…"
