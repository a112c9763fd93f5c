"""`/r/{referral_code}`: the share link. Stores the click and passes the visitor on, code and query string in hand."""

from urllib.parse import unquote_plus, urlsplit, urlunsplit

from crawlerdetect import CrawlerDetect
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_safe

from participants.models import Participant
from participants.selectors import shared_link
from participants.services import click_store
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit.vanishing import points_nowhere

# Programs that fetch a link to preview it or to index it aren't visitors.
_crawlers = CrawlerDetect()
# What a browser says of itself has some 200 characters; longer ones only cost time in the patterns.
_LONGEST_AGENT = 500


@require_safe
def follow(request: HttpRequest, referral_code: str) -> HttpResponse:
    """302 to the campaign's landing page, or the campaign's own plain page; 404 for an unknown code."""
    participant = shared_link(referral_code)
    if participant is None or participant.customer.erased_at is not None:
        raise Http404("This link isn't known here.")
    if request.method == "GET":
        _store_click(participant, request)
    landing_url = participant.campaign.landing_url
    if landing_url:
        target = with_code(landing_url, request.META.get("QUERY_STRING", ""), participant.referral_code)
        return _uncached(HttpResponseRedirect(target))
    context = {
        "campaign": participant.campaign,
        "referrer_name": participant.customer.name,
        "referral_code": participant.referral_code,
    }
    return _uncached(render(request, "share/campaign.html", context))


def _store_click(participant: Participant, request: HttpRequest) -> None:
    try:
        with tenant(participant.organization):
            click_store(participant=participant, referrer_host=_host(request), by_bot=_by_bot(request))
    except IntegrityError as error:
        if not points_nowhere(error):
            raise
        # An import was undone at this moment, and the participant with it.
        raise Http404("This link isn't known here any more.") from error


def with_code(landing_url: str, visitor_query: str, code: str) -> str:
    """The landing page's address with its own query string and fragment, the visitor's, and `referral_code`.

    The pairs stay as they are written: a landing page may look at more than their names and values (`?/offers`, a
    signature over the query).
    """
    parts = urlsplit(landing_url)
    pairs = [*parts.query.split("&"), *visitor_query.split("&")]
    kept = [pair for pair in pairs if pair and unquote_plus(pair.partition("=")[0]) != "referral_code"]
    return urlunsplit(parts._replace(query="&".join([*kept, f"referral_code={code}"])))


def _host(request: HttpRequest) -> str:
    return urlsplit(request.headers.get("Referer", "")).hostname or ""


def _by_bot(request: HttpRequest) -> bool:
    agent = request.headers.get("User-Agent", "")
    return not agent or _crawlers.isCrawler(agent[:_LONGEST_AGENT])


def _uncached(response: HttpResponse) -> HttpResponse:
    # A cached redirect would hide later clicks, and outlive a changed landing page.
    response["Cache-Control"] = "no-store"
    return response
