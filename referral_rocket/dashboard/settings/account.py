"""One's own account: name and language here, address, password and second factor on allauth's pages."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.utils import is_mfa_enabled
from babel import Locale
from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from referral_rocket.accounts.services import user_update
from referral_rocket.dashboard import links
from referral_rocket.dashboard.templatetags.rocket import BROWSERS_LOCALE

# How numbers and money are written; the words of the product are English.
_LOCALES = [
    "en_US",
    "en_GB",
    "en_AU",
    "en_CA",
    "en_IN",
    "de_DE",
    "de_AT",
    "de_CH",
    "fr_FR",
    "fr_CA",
    "es_ES",
    "es_MX",
    "it_IT",
    "pt_PT",
    "pt_BR",
    "nl_NL",
    "sv_SE",
    "da_DK",
    "nb_NO",
    "fi_FI",
    "pl_PL",
    "cs_CZ",
    "hu_HU",
    "ro_RO",
    "el_GR",
    "tr_TR",
    "uk_UA",
    "ja_JP",
    "ko_KR",
    "zh_Hans_CN",
    "zh_Hant_TW",
    "hi_IN",
    "id_ID",
    "th_TH",
    "vi_VN",
]


def _locale_choices() -> list[tuple[str, str]]:
    named = sorted((str(Locale.parse(code).get_display_name("en")), code) for code in _LOCALES)
    return [(BROWSERS_LOCALE, "As my browser asks"), *((code, name) for name, code in named)]


class ProfileForm(forms.Form):
    name = forms.CharField(max_length=200, required=False, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    locale = forms.ChoiceField(label="Numbers and money", choices=_locale_choices)


@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: Any) -> HttpResponse:
    form = ProfileForm(
        request.POST if request.method == "POST" else None,
        initial={"name": request.user.name, "locale": request.user.locale},
    )
    if request.method == "POST" and form.is_valid():
        user_update(user=request.user, **form.cleaned_data)
        messages.success(request, "Saved.")
        return redirect(links.to(request, "profile"))
    context = {"tab": "profile", "form": form}
    return render(request, "settings/profile.html", context, status=422 if form.is_bound else 200)


@require_safe
def security(request: Any) -> HttpResponse:
    context = {
        "tab": "security",
        "has_second_factor": is_mfa_enabled(request.user),
        "verified": EmailAddress.objects.filter(user=request.user, email=request.user.email, verified=True).exists(),
    }
    return render(request, "settings/security.html", context)
