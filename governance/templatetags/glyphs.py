"""State glyphs: shape first, hue last. The word beside a glyph carries the meaning; the glyph is hidden from speech."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

#: kind -> (shape on a 16 px field, light hue for paper). F, S and P stand for fill, stroke, and paper stroke.
_SHAPES: Mapping[str, tuple[str, str]] = {
    "waiting": ('<circle cx="8" cy="8" r="6" S/>', "#596663"),
    "working": ('<circle cx="8" cy="8" r="6" S/><path d="M8 2a6 6 0 0 1 0 12z" F/>', "#34508C"),
    "pass": ('<circle cx="8" cy="8" r="7" F/><path d="M4.8 8.3l2.3 2.3 4.2-4.6" P/>', "#0B5D64"),
    "inconclusive": ('<path d="M2 2h12v12H2z" S/><path d="M5 8h6" S/>', "#7A4F00"),
    "fail": ('<path d="M8 .6L15.4 8 8 15.4.6 8z" F/><path d="M5.9 5.9l4.2 4.2M10.1 5.9l-4.2 4.2" P/>', "#AE2F17"),
    "error": ('<path d="M8 .6L15.4 8 8 15.4.6 8z" F/><path d="M8 4.6v4M8 10.6v1.2" P/>', "#AE2F17"),
    "at_risk": (
        '<path d="M8 2L14.6 14H1.4z" S stroke-linejoin="round"/><path d="M8 6.5v3.6M8 11.4v1.1" S/>',
        "#7A4F00",
    ),
    "paused": ('<circle cx="8" cy="8" r="6" S/><path d="M6.4 5.6v4.8M9.6 5.6v4.8" S/>', "#596663"),
    "decision": ('<path d="M3 2.5h10v11H3z" S/><path d="M5.5 6h5M5.5 8.5h5" S/>', "#111C1B"),
}
#: Outcomes and stage words of the product that share the shape of another kind.
ALIASES: Mapping[str, str] = {
    "damaged": "fail",
    "bad_input": "fail",
    "late": "fail",
    "failed": "fail",
    "refused": "decision",
    "erase": "decision",
    "refuse": "decision",
    "queued": "waiting",
    "running": "working",
    "succeeded": "pass",
    "reported": "waiting",
    "signed": "pass",
    "info": "decision",
}
WORDS: Mapping[str, object] = {
    "waiting": _("Waiting"),
    "working": _("Working"),
    "pass": _("Pass"),
    "inconclusive": _("Inconclusive"),
    "fail": _("Fail"),
    "error": _("Error"),
    "at_risk": _("At risk"),
    "paused": _("Paused"),
    "decision": _("Decided"),
    "damaged": _("Damaged"),
    "bad_input": _("Bad input"),
    "late": _("Late"),
    "failed": _("Failed"),
    "refused": _("Refused"),
    "erase": _("Erase"),
    "refuse": _("Refuse"),
    "queued": _("Queued"),
    "running": _("Running"),
    "succeeded": _("Done"),
    "reported": _("Reported"),
    "signed": _("Signed"),
}


def kind_of(state: str) -> str:
    """The glyph's kind for a state or outcome.

    Raises:
        KeyError: for a state without a glyph: a state that nobody drew must not look like another.
    """
    kind = ALIASES.get(state, state)
    if kind not in _SHAPES:
        raise KeyError(f"{state!r} has no glyph; one of {', '.join(sorted((*_SHAPES, *ALIASES)))}")
    return kind


def draw(state: str, size: int = 16) -> SafeString:
    """The glyph of a state as inline SVG, `size` px square."""
    kind = kind_of(state)
    shape, light = _SHAPES[kind]
    stroke = f'class="g-s" fill="none" stroke="{light}" stroke-width="1.6"'
    shape = shape.replace(" F/", f' class="g-f" fill="{light}"/').replace(" S", f" {stroke}")
    shape = shape.replace(" P/", ' class="g-p" fill="none" stroke="#FFFFFF" stroke-width="1.8" stroke-linecap="round"/')
    drawn = mark_safe(shape)  # noqa: S308 - constants of this file only
    large = " glyph--large" if size > 24 else ""
    return format_html(
        '<svg class="glyph is-{}{}" viewBox="0 0 16 16" width="{}" height="{}" aria-hidden="true" focusable="false">'
        "{}</svg>",
        kind, large, size, size, drawn,
    )  # fmt: skip
