"""Text on every ground it stands on has at least 4.5 to 1 (WCAG 2.2 AA), in both themes; control borders 3 to 1."""

import re
from pathlib import Path

import pytest
from django.conf import settings

THEME = Path(settings.BASE_DIR) / "frontend" / "css" / "theme.css"
TEXT = 4.5
CONTROL = 3.0

GROUNDS = ("base-100", "base-200", "base-300")
TONES = ("info", "success", "warning", "error", "violet")
PAIRS = [
    *[(text, ground) for ground in GROUNDS for text in ("base-content", "muted")],
    *[("link", ground) for ground in ("base-100", "base-200", "primary-soft")],
    *[(tone, f"{tone}-soft") for tone in TONES],
    *[("base-content", f"{tone}-soft") for tone in (*TONES, "neutral", "primary")],
    *[(tone, "base-100") for tone in ("error", "success")],
    *[(f"{name}-content", name) for name in ("primary", "error", "success", "neutral", "warning", "info", "test-band")],
    ("secondary", "neutral-soft"),
    ("muted", "primary-soft"),
    ("error", "base-300"),
    ("link", "base-300"),
]


def themes() -> dict[str, dict[str, str]]:
    blocks = re.findall(r'@plugin "daisyui/theme" \{(.*?)\n\}', THEME.read_text(), re.DOTALL)
    found = {}
    for block in blocks:
        name = re.search(r'name: "(\w+)"', block)
        assert name is not None
        found[name.group(1)] = dict(re.findall(r"--color-([\w-]+): (#[0-9a-f]{6});", block))
    return found


def luminance(color: str) -> float:
    """Relative luminance by WCAG 2.2's definition."""
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_it_works() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_both_themes_name_the_same_colors() -> None:
    found = themes()
    assert set(found) == {"light", "dark"}
    assert set(found["light"]) == set(found["dark"])


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_text_is_readable(theme: str, text: str, ground: str) -> None:
    colors = themes()[theme]
    assert contrast(colors[text], colors[ground]) >= TEXT


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("ground", ["base-100", "base-200"])
@pytest.mark.parametrize("mark", ["line-strong", "primary", "chart-1", "chart-2", "chart-3", "chart-4"])
def test_controls_focus_rings_and_chart_lines_are_visible(theme: str, mark: str, ground: str) -> None:
    colors = themes()[theme]
    assert contrast(colors[mark], colors[ground]) >= CONTROL
