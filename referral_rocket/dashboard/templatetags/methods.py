"""`{{ batch.method|method_name }}` and `{{ batch.connection|is_sandbox }}`."""

import json

from django import template

from referral_rocket.dashboard import methods

register = template.Library()
register.filter("method_name", methods.method_name)
register.filter("method_label", methods.method_label)
register.filter("provider_name", methods.provider_name)
register.filter("is_sandbox", methods.is_sandbox)


@register.filter
def as_json(value: object) -> str:
    """What a provider was told or answered, with a line for each field."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, default=str)
