"""Every component renders, and writes what it is given as text."""

import copy
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django import forms
from django.conf import settings
from django.contrib import messages
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from referral_rocket.dashboard.wording import WORDINGS
from tests.dashboard.gallery import NAMES
from tests.dashboard.rendering import FakeFrame, FakeUser, make_request, render

pytestmark = pytest.mark.urls("tests.dashboard.gallery")

NASTY = "<script>alert(1)</script>\"'&"
TEMPLATES = Path(settings.BASE_DIR) / "templates"
VOID = {"br", "hr", "img", "input", "link", "meta", "use", "path", "circle", "rect"}


@pytest.fixture(autouse=True)
def _without_the_real_frame(settings: Settings) -> None:
    """The gallery brings its own frame; the product's asks the database."""
    templates = copy.deepcopy(settings.TEMPLATES)
    processors = templates[0]["OPTIONS"]["context_processors"]
    templates[0]["OPTIONS"]["context_processors"] = [name for name in processors if not name.endswith("context.frame")]
    settings.TEMPLATES = templates


class Balance(HTMLParser):
    """Finds elements that are closed in the wrong order or not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.problems: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> at {self.getpos()}")


def test_it_works() -> None:
    html = render('<c-button variant="primary" icon="plus" href="/new/">New</c-button>')
    assert '<a href="/new/" class="btn btn-sm btn-primary"' in html
    assert "build/icons.svg#plus" in html
    assert "New</a>" in html


@pytest.mark.parametrize("name", NAMES)
def test_gallery_pages_are_well_formed_and_hold_no_inline_code(name: str) -> None:
    response = Client().get(reverse("gallery", args=[name]))
    html = response.content.decode()
    assert response.status_code == 200
    balance = Balance()
    balance.feed(html)
    assert balance.problems == []
    assert balance.open == []
    assert not re.search(r'\sstyle="|\son[a-z]+="|javascript:', html)
    scripts = re.findall(r"<script([^>]*)>", html)
    assert all("src=" in attributes or 'type="application/json"' in attributes for attributes in scripts)
    assert "<c-" not in html


def test_ids_are_unique_on_a_page() -> None:
    html = Client().get(reverse("gallery", args=["reward_due"])).content.decode()
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    "source",
    [
        '<c-button :title="text" href="{{ text }}">{{ text }}</c-button>',
        '<c-button :data-x="text" data-y="{{ text }}">x</c-button>',
        '<c-menu label="{{ text }}"><c-menu-item :data-x="text" note="{{ text }}" href="{{ text }}">{{ text }}</c-menu-item></c-menu>',
        '<c-badge title="{{ text }}">{{ text }}</c-badge>',
        '<c-status kind="campaign" :value="text" />',
        '<c-id :value="text" />',
        '<c-card :title="text" note="{{ text }}">{{ text }}</c-card>',
        '<c-table :caption="text" :data-x="text"><tr><c-td :label="text" :data-x="text">{{ text }}</c-td></tr></c-table>',
        '<c-td-select :value="text" :label="text" />',
        '<c-td-select :reason="text" :label="text" />',
        '<c-td-open :controls="text" :url="text" :label="text" />',
        '<c-selection-bar :all_count="text" :all_sum="text" :noun="text" />',
        '<c-pager :next="text" :previous="text" :note="text" />',
        '<c-empty :title="text">{{ text }}</c-empty>',
        '<c-stat :label="text" :value="text" :note="text" :href="text" />',
        '<c-timeline-entry :title="text">{{ text }}</c-timeline-entry>',
        '<c-definition :term="text">{{ text }}</c-definition>',
        '<c-alert :title="text">{{ text }}</c-alert>',
        '<c-progress :label="text" :note="text" />',
        '<c-dialog id="d" :title="text">{{ text }}</c-dialog>',
        '<c-confirm id="d" :title="text" :word="text" :button="text" :action="text">{{ text }}</c-confirm>',
        '<c-toast :text="text" :undo="text" />',
        '<c-code id="c" :title="text" :text="text" />',
        '<c-tree-node :label="text" :note="text" :href="text" />',
        '<c-checklist-item :title="text" :href="text" :action="text">{{ text }}</c-checklist-item>',
        '<c-filter-select name="status" :label="text" :options="options" />',
        '<c-filter-search :placeholder="text" />',
        '<c-palette-item :label="text" :href="text" :note="text" />',
        '<c-chart :title="text" :data="chart" :summary="text" />',
        '<c-funnel :title="text" :steps="steps" />',
        '<c-tab :href="text" :count="text">{{ text }}</c-tab>',
        '<c-crumb :href="text">{{ text }}</c-crumb>',
        '<c-page-header :title="text" :note="text" />',
        '<c-shell :title="text" section="rewards" note="{{ text }}">{{ text }}</c-shell>',
        '<c-entrance :title="text">{{ text }}</c-entrance>',
    ],
)
def test_components_escape_what_they_are_given(source: str) -> None:
    context = {
        "text": NASTY,
        "options": [(NASTY, NASTY)],
        "chart": {"labels": [NASTY], "series": [{"name": NASTY, "values": [1]}]},
        "steps": [{"label": NASTY, "value": 1, "share": 100, "href": NASTY}],
    }
    html = render(source, **context)
    assert "alert(1)" in html
    assert "<script>alert" not in html
    opened = re.findall(r"<[a-z][^<>]*", html)
    assert all(tag.count('"') % 2 == 0 for tag in opened)
    assert NASTY[-3:] not in html


def test_a_form_field_shows_label_help_error_and_ties_them_together() -> None:
    class Form(forms.Form):
        days = forms.IntegerField(label=NASTY, help_text="Days before it is due.", min_value=0)

    html = render('<c-field :field="form.days" />', form=Form({"days": "-1"}))
    assert "<script>alert" not in html
    assert '<label class="field-label" for="id_days">' in html
    assert 'aria-describedby="id_days_help id_days_problem"' in html
    assert 'aria-invalid="true"' in html
    assert '<div class="field-help" id="id_days_help">Days before it is due.</div>' in html
    assert "Ensure this value is greater than or equal to 0." in html


@pytest.mark.parametrize(("widget", "look"), [(forms.CheckboxSelectMultiple, "checkbox"), (forms.RadioSelect, "radio")])
def test_each_of_several_choices_has_the_theme_s_look(widget: type[forms.Widget], look: str) -> None:
    class Form(forms.Form):
        events = forms.MultipleChoiceField(choices=[("a", NASTY), ("b", "B")], help_text="Sent.", widget=widget)

    html = render('<c-field :field="form.events" />', form=Form({"events": ["b"]}))
    inputs = re.findall(r"<input [^>]*>", html)
    assert [f'class="{look} {look}-sm {look}-primary"' in each for each in inputs] == [True, True]
    assert ["checked" in each for each in inputs] == [False, True]
    assert ['aria-describedby="id_events_help"' in each for each in inputs] == [True, True]
    assert html.count(look + "-sm") == 2
    assert re.findall(r"<span>([^<]*)</span></label>", html)[1] == "B"
    assert "<script>alert" not in html


def test_status_names_every_state_in_words_and_keeps_the_code() -> None:
    for kind, states in WORDINGS.items():
        for state, words in states.items():
            html = render(f'<c-status kind="{kind}" value="{state}" />')
            assert f'data-status="{state}"' in html
            assert words.label in html


def test_an_unknown_state_is_shown_by_its_own_name() -> None:
    assert "Sent by owl" in render('<c-status value="SENT_BY_OWL" />')


def test_money_follows_the_reader_s_language() -> None:
    source = '<c-money amount="123456" currency="EUR" />'
    assert "€1,234.56" in render(source, make_request(language="en-US"))
    assert "1.234,56\N{NO-BREAK SPACE}€" in render(source, make_request(language="de-DE,de;q=0.9"))
    assert "€1,234.56" in render(source, make_request(language="xx-nonsense"))
    assert "¥500" in render('<c-money amount="500" currency="JPY" />')


def test_time_is_in_the_organization_s_zone_and_exact_on_hover() -> None:
    moment = datetime(2024, 3, 5, 23, 30, 15, tzinfo=UTC)
    html = render('<c-time :value="moment" />', moment=moment)
    assert 'datetime="2024-03-05T23:30:15Z"' in html
    assert 'title="6 March 2024, 00:30:15 CET (Europe/Berlin)"' in html
    assert ">6 Mar 2024, 00:30</time>" in html


def test_an_inline_component_ends_without_a_space() -> None:
    html = render('(<c-money amount="100" currency="USD" />)')
    assert html.endswith("$1.00</span>)")


def test_sorting_keeps_filters_and_turns_round() -> None:
    request = make_request("/?status=ACTIVE&sort=name&after=abc")
    html = render('<table><tr><c-th sort="name">Name</c-th></tr></table>', request)
    assert 'aria-sort="ascending"' in html
    assert 'href="?status=ACTIVE&amp;sort=-name"' in html


def test_pager_replaces_the_cursor_and_keeps_the_rest() -> None:
    request = make_request("/?status=ACTIVE&before=old")
    html = render('<c-pager next="new" note="50 of 120" />', request)
    assert 'href="?status=ACTIVE&amp;after=new"' in html
    assert 'aria-disabled="true">Previous' in html


def test_a_message_with_undo_is_a_toast_with_a_form() -> None:
    request = make_request()
    messages.success(request, "Marked complete", extra_tags="undo:/o/acme/undo/1/")
    messages.error(request, "Stripe refused")
    html = render('<c-shell title="x">y</c-shell>', request)
    assert '<form method="post" action="/o/acme/undo/1/">' in html
    toasts = html.split('class="toasts"')[1]
    assert "Marked complete" in toasts
    assert "Stripe refused" not in toasts
    assert "Stripe refused" in html


@pytest.mark.parametrize(("chosen", "expected"), [("dark", 'data-theme="dark"'), ("light", 'data-theme="light"')])
def test_the_chosen_theme_is_written_by_the_server(chosen: str, expected: str) -> None:
    assert expected in render('<c-shell title="x">y</c-shell>', make_request(theme=chosen))


@pytest.mark.parametrize("cookie", ["", "system", '"><script>'])
def test_any_other_theme_leaves_it_to_the_system(cookie: str) -> None:
    html = render('<c-shell title="x">y</c-shell>', make_request(theme=cookie))
    assert "data-theme=" not in html.split("<head>")[0]


def test_the_test_organization_carries_its_band() -> None:
    band = "Test organization: nothing here pays anyone"
    assert band in render('<c-shell title="x">y</c-shell>', make_request(mode="TEST"))
    assert band not in render('<c-shell title="x">y</c-shell>', make_request(mode="LIVE"))


def test_the_panel_marks_the_section_and_counts_what_is_due() -> None:
    html = render('<c-shell title="x" section="rewards">y</c-shell>')
    assert 'href="/o/acme/rewards/" aria-current="page"' in html
    assert "24<span" in html
    assert html.count('aria-current="page"') == 1


def test_an_attribute_named_in_single_quotes_stays_one_attribute() -> None:
    html = render("""<c-button hx-vals='{"name": "{{ text }}"}'>x</c-button>""", text=NASTY)
    attribute = re.search(r'hx-vals="([^"]*)"', html)
    assert attribute is not None
    assert "<script>" not in attribute.group(1)


def test_every_icon_named_in_a_template_is_in_the_icon_set() -> None:
    icons = Path(settings.BASE_DIR) / "node_modules" / "lucide-static" / "icons"
    assert icons.is_dir(), "run `npm ci` first"
    names = {words.icon for states in WORDINGS.values() for words in states.values()}
    for template in TEMPLATES.rglob("*.html"):
        names |= set(re.findall(r'<c-icon\s+name="([a-z0-9-]+)"|\bicon="([a-z0-9-]+)"', template.read_text()))
    flat = {name for entry in names for name in ((entry,) if isinstance(entry, str) else entry) if name}
    assert sorted(name for name in flat if not (icons / f"{name}.svg").exists()) == []


def test_no_template_passes_on_attributes_unescaped() -> None:
    """Cotton's `{{ attrs }}` doesn't escape; `{% attributes attrs %}` does."""
    bare = [str(path) for path in TEMPLATES.rglob("*.html") if re.search(r"\{\{\s*attrs\s*\}\}", path.read_text())]
    assert bare == []


def test_no_template_holds_inline_code() -> None:
    pattern = re.compile(r'\sstyle="|\son(click|change|submit|load|input)=|javascript:|hx-on')
    assert [str(path) for path in TEMPLATES.rglob("*.html") if pattern.search(path.read_text())] == []


def test_share_page_and_error_pages_need_no_organization() -> None:
    client = Client()
    for code in ("400", "403", "404", "500", "403_csrf", "429"):
        assert client.get(f"/error/{code}/").status_code == 200
    share = client.get("/share/").content.decode()
    assert "AMARA-7K2Q" in share
    assert 'data-copy="AMARA-7K2Q"' in share


@pytest.mark.parametrize(
    ("name", "initials", "lines"),
    [("Mara Ek", "ME", ["Mara Ek", "mara@acme.test", "Owner"]), ("", "MA", ["mara@acme.test", "Owner"])],
)
def test_the_account_is_called_by_its_name_where_that_is_known(name: str, initials: str, lines: list[str]) -> None:
    request = make_request()
    request.user = FakeUser(name=name)
    html = render("<c-account-menu />", request)
    assert re.findall(r'aria-hidden="true">(\w+)</span>', html) == [initials]
    assert re.findall(r'<span class="block [^>]*>([^<]+)</span>', html) == lines


def test_a_role_without_a_word_still_renders() -> None:
    assert "Auditor" in render("<c-account-menu />", frame=FakeFrame(role="AUDITOR"))
