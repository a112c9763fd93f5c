"""`{% to "reward" reward.pk %}`: the address of a page within the organization that is open."""

from django import template
from django.template import Context

from referral_rocket.dashboard import links

register = template.Library()


@register.simple_tag(takes_context=True)
def to(context: Context, name: str, *arguments: object) -> str:
    return links.to(context["request"], name, *arguments)
