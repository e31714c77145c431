"""The design system's tags. `tests/governance/guide.html` shows each of them in all its states."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django import template
from django.forms import BoundField
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from governance import day_words
from governance.templatetags import glyphs, intervals, passages, scales

register = template.Library()
Values = Mapping[str, Any]


def _read(source: Any, name: str, default: Any = None) -> Any:
    return source.get(name, default) if isinstance(source, Mapping) else getattr(source, name, default)


def _clock(source: Any) -> scales.Clock:
    """A `scales.Clock` from itself, or from any object or dict with its fields."""
    if isinstance(source, scales.Clock):
        return source
    return scales.Clock(
        received=_read(source, "received"),
        due=_read(source, "due"),
        today=_read(source, "today") or dt.date.today(),
        pauses=tuple((first, last) for first, last in _read(source, "pauses") or ()),
        extension=_read(source, "extension"),
        tone=_read(source, "tone") or "running",
    )


@register.simple_tag
def glyph(state: str, size: int = 16) -> SafeString:
    """`{% glyph "pass" size=30 %}`: the shape alone; put a word beside it."""
    return glyphs.draw(state, size)


@register.inclusion_tag("components/state.html")
def state(kind: str, word: str = "", *, chip: bool = False) -> Values:
    """`{% state "at_risk" "2 days" chip=True %}`: glyph, word and hue."""
    return {"kind": glyphs.kind_of(kind), "name": kind, "word": word or glyphs.WORDS[kind], "chip": chip}


@register.simple_tag
def clock_row(clock: Any, calendar: Sequence[dt.date]) -> SafeString:
    """`{% clock_row case.clock calendar %}`: a clock in a list; `calendar` is (first day, last day) of all rows."""
    return scales.clock_row(_clock(clock), (calendar[0], calendar[1]))


@register.simple_tag
def calendar_head(calendar: Sequence[dt.date], today: dt.date) -> SafeString:
    """`{% calendar_head calendar today %}`: dates above a column of clocks."""
    return scales.calendar_head((calendar[0], calendar[1]), today)


@register.simple_tag
def clock_full(clock: Any) -> SafeString:
    """`{% clock_full case.clock %}`: receipt, pauses, today, due date and possible extension."""
    return scales.clock_full(_clock(clock))


@register.inclusion_tag("components/clock_block.html")
def clock_block(clock: Any, label: str = "") -> Values:
    """`{% clock_block clock %}`: the claimant's clock with its dates as text."""
    drawn = _clock(clock)
    return {
        "clock": drawn,
        "svg": scales.clock_plain(drawn),
        "label": label,
        "left": scales.days_phrase(drawn.days_left),
        "received": day_words.short(drawn.received),
        "due": day_words.short(drawn.due),
        "by": day_words.of_year(drawn.due),
    }


@register.simple_tag
def days_left(clock: Any) -> str:
    """`{% days_left case.clock %}`: `7 days left`, `due today`, `3 days late`."""
    return scales.days_phrase(_clock(clock).days_left)


@register.inclusion_tag("components/stages.html")
def stages(step: int, total: int, label: str = "", *, block: bool = False, wide: bool = False) -> Values:
    """`{% stages 3 11 "Review" %}`: stage i of n, with its name."""
    return {"svg": scales.stages(step, total, wide=wide), "label": label, "block": block, "step": step, "total": total}


@register.simple_tag
def interval_row(row: Values, axis: Values, height: int | None = None) -> SafeString:
    """`{% interval_row row axis %}`: reference band, whiskers, limit; see `intervals.interval_row` for the shapes."""
    return intervals.interval_row(row, axis, height=height)


@register.simple_tag
def interval_axis(axis: Values, *, ruled: bool = False) -> SafeString:
    """`{% interval_axis axis ruled=True %}`: the numbers of an axis."""
    return intervals.axis_head(axis, ruled=ruled)


@register.simple_tag
def legend_mark(index: int) -> SafeString:
    """`{% legend_mark 0 %}`: whisker and marker of a series."""
    return intervals.legend_mark(index)


@register.simple_tag
def legend_reference() -> SafeString:
    """`{% legend_reference %}`: the reference band."""
    return intervals.legend_reference()


@register.simple_tag
def legend_limit() -> SafeString:
    """`{% legend_limit %}`: the tall mark."""
    return intervals.legend_limit()


@register.inclusion_tag("components/figure.html")
def figure(item: Values) -> Values:
    """`{% figure item %}`: `label`, `number`, `of`, `unit`, `note`, and `parts` with `total`, or `ruler`."""
    svg: SafeString | str = ""
    if item.get("parts"):
        svg = scales.share_ruler(item["parts"], float(item.get("total") or 0))
    elif item.get("ruler"):
        ruler = item["ruler"]
        svg = scales.value_ruler(ruler["value"], high=ruler["high"], band=ruler.get("band"), limit=ruler.get("limit"))
    return {"item": item, "svg": svg}


@register.inclusion_tag("components/timeline.html")
def timeline(entries: Sequence[Any]) -> Values:
    """`{% timeline entries %}`: `actor`, `text`, `when`, `ledger` (list of {text, url}), `kind` (person, machine,
    open); newest first."""
    return {"entries": entries}


@register.inclusion_tag("components/path.html")
def path(steps: Sequence[Any]) -> Values:
    """`{% path steps %}`: the claimant's way: `what`, `note`, `status` (done, now, next), optional `url`, `link`."""
    return {"steps": steps}


@register.inclusion_tag("components/signature.html")
def signature(item: Any) -> Values:
    """`{% signature item %}`: `name`, `signed` (bool), `state` (words), `note`, optional `url`, `link`."""
    return {"item": item}


@register.inclusion_tag("components/digest.html")
def digest(value: str, *, keep: int = 8) -> Values:
    """`{% digest value %}`: shortened, with the full value as title and to copy."""
    scheme, colon, body = value.rpartition(":")
    short = f"{body[:keep]}…{body[-4:]}" if len(body) > keep + 6 else body
    return {"value": value, "short": f"{scheme}{colon}{short}"}


@register.inclusion_tag("components/facts.html")
def facts(items: Sequence[Any], *, inline: bool = False) -> Values:
    """`{% facts items %}`: pairs (label, value), or dicts with `label`, `value` and `digest` (bool) for digests."""
    rows = [item if isinstance(item, Mapping) else {"label": item[0], "value": item[1]} for item in items]
    return {"rows": rows, "inline": inline}


@register.inclusion_tag("components/table.html")
def table(columns: Sequence[Any], rows: Sequence[Any], caption: str = "") -> Values:
    """`{% table columns rows caption %}`: labels (or `{label, num}`), and rows of values (or cells as in cell.html)."""
    heads = [column if isinstance(column, Mapping) else {"label": column} for column in columns]
    lines = [
        {
            "cells": [
                (head, cell if isinstance(cell, Mapping) else {"text": cell, "blank": cell == ""})
                for head, cell in zip(heads, row, strict=True)
            ]
        }
        for row in rows
    ]
    return {"columns": heads, "rows": lines, "caption": caption}


@register.inclusion_tag("components/notice.html")
def notice(kind: str, title: str, text: str = "") -> Values:
    """`{% notice "fail" title text %}`: what stopped, what is safe, what to do."""
    return {"kind": glyphs.kind_of(kind), "title": title, "text": text}


@register.inclusion_tag("components/empty.html")
def empty(sentence: str, next_step: str = "", url: str = "", link: str = "") -> Values:
    """`{% empty sentence next %}`: one serif sentence and what comes next."""
    return {"sentence": sentence, "next_step": next_step, "url": url, "link": link}


@register.inclusion_tag("components/progress.html")
def progress(value: float, total: float, label: str, text: str = "") -> Values:
    """`{% progress done total label %}`: a bar with its words."""
    return {"value": value, "total": total, "label": label, "text": text}


@register.simple_tag
def mask(kind: str) -> SafeString:
    """`{% mask "name" %}`: hidden personal data, named by kind."""
    return passages.mask(kind)


@register.filter
def masked(text: str) -> SafeString:
    """`{{ text|masked }}`: text in which `[[kind]]` stands for hidden personal data."""
    return passages.masked(text)


@register.inclusion_tag("components/diff.html")
def diff(left: Values, right: Values) -> Values:
    """`{% diff left right %}`: two passages (`title`, `note`, `code`, `text`), differing words marked."""
    texts = passages.diff(left["text"], right["text"])
    return {"passages": [{"source": left, "text": texts[0]}, {"source": right, "text": texts[1]}]}


@register.inclusion_tag("components/chart.html")
def chart(item: Values) -> Values:
    """`{% chart item %}`: `id`, `kind` (line, scatter, bar), `title`, `sentence`, `series`, `labels`, `csv_url`.

    A series is `{"name", "data", "urls"?}`; scatter data are `{"x", "y", "label"?, "url"?}`. In the table each number
    with an address, or the point, leads there. The page must load charts.js.
    """
    series = list(item["series"])[:4]
    data = {key: item.get(key) for key in ("kind", "labels", "x_label", "y_label", "unit", "zero", "limit", "y_max")}
    if item["kind"] == "scatter":
        head = [_("Series"), item.get("x_label") or "x", item.get("y_label") or "y"]
        rows = [
            [_cell(point.get("label") or s["name"], point.get("url")), _cell(point["x"]), _cell(point["y"])]
            for s in series for point in s["data"]
        ]  # fmt: skip
    else:
        head = [item.get("x_label") or "", *(s["name"] for s in series)]
        none = [""] * len(item["labels"])
        rows = [
            [_cell(label), *(_cell(s["data"][i], s.get("urls", none)[i]) for s in series)]
            for i, label in enumerate(item["labels"])
        ]  # fmt: skip
    data["series"] = [{"name": str(s["name"]), "data": [_drawn(one) for one in s["data"]]} for s in series]
    return {"item": item, "data": data, "data_id": f"{item['id']}-data", "head": head, "rows": rows}


def _cell(text: Any, url: str | None = "") -> dict[str, Any]:
    return {"text": text, "url": url}


def _drawn(point: Any) -> Any:
    """What the drawing needs of a point: all but the address."""
    return {name: value for name, value in point.items() if name != "url"} if isinstance(point, dict) else point


@register.filter
def first_control_id(field: BoundField) -> str:
    """Id of the control that an error link should lead to; for radio groups the first of them."""
    direct = field.id_for_label
    if direct:
        return direct
    subwidgets = field.subwidgets
    return subwidgets[0].id_for_label if subwidgets else field.auto_id
