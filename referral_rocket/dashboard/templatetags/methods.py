"""`{{ batch.method|method_name }}` and `{{ batch.connection|is_sandbox }}`."""

from django import template

from referral_rocket.dashboard import methods

register = template.Library()
register.filter("method_name", methods.method_name)
register.filter("is_sandbox", methods.is_sandbox)
