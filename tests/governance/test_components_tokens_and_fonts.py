"""Tokens and fonts hold together: one dark palette, readable contrast, no two font files under one name."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOKENS = (ROOT / "static/css/tokens.css").read_text()
FACES = re.findall(r"@font-face \{(.*?)\}", (ROOT / "static/css/fonts.css").read_text(), re.DOTALL)


def palette(selector: str) -> dict[str, str]:
    block = TOKENS[TOKENS.index(selector) :]
    return dict(re.findall(r"--([\w-]+): (#\w{6});", block[: block.index("}")]))


def luminance(colour: str) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_the_systems_dark_and_the_chosen_dark_are_one():
    system, chosen = palette(':root:not([data-theme="light"])'), palette(':root[data-theme="dark"]')
    assert system == chosen
    assert set(chosen) == set(palette(":root {"))


@pytest.mark.parametrize("theme", [":root {", ':root[data-theme="dark"]'])
def test_every_ink_is_readable_on_paper_sheet_and_its_tint(theme):
    colours = palette(theme)
    for ink in ("ink", "ink-2", "ink-3", "sound", "working", "doubt", "fault"):
        for ground in ("paper", "sheet"):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    for hue in ("sound", "working", "doubt", "fault"):
        for ink in (hue, "ink-2", "ink-3"):
            assert contrast(colours[ink], colours[f"tint-{hue}"]) >= 4.5, (ink, hue)
    for mark in ("line", "doubt-mark", "focus", "series-2", "series-3", "series-4"):
        assert contrast(colours[mark], colours["paper"]) >= 3, mark
    assert contrast(colours["button"], colours["on-button"]) >= 4.5
    assert contrast(colours["spine"], colours["on-spine"]) >= 4.5


def test_no_two_font_files_share_a_name_and_a_style():
    keys = Counter(tuple(re.findall(r"font-(?:family|style|weight): ([^;]+);", face)) for face in FACES)
    assert max(keys.values()) == 1, keys


def test_every_font_file_is_there_with_its_licence():
    for face in FACES:
        source = re.search(r'url\("\.\./(fonts/[^"]+)"\)', face)
        assert source and (ROOT / "static" / source[1]).is_file()
    assert len(list((ROOT / "static/fonts").glob("LICENSE-*.txt"))) == 4


@pytest.mark.parametrize("name", ["static/css/tokens.css", "templates/report/report.css", "templates/report/stamp.css"])
def test_who_names_a_family_names_its_second_subset(name):
    text = (ROOT / name).read_text()
    assert not re.findall(r'"(Source Serif 4|IBM Plex Sans|IBM Plex Mono)",(?! "\1 Ext")', text)


@pytest.mark.parametrize("path", sorted((ROOT / "static/css").glob("*.css")), ids=lambda path: path.name)
def test_nothing_is_fetched_from_elsewhere(path):
    assert not re.search(r"url\(\s*[\"']?(?:https?:)?//|@import", path.read_text())


@pytest.mark.parametrize("path", sorted((ROOT / "static/css").glob("*.css")), ids=lambda path: path.name)
def test_letters_and_breakpoints_follow_the_size_that_a_reader_chose(path):
    assert not re.search(r"(?:font(?:-size)?|line-height):[^;]*\dpx|@media[^{]*\dpx", path.read_text())
