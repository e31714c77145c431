"""How the versions of a model descend from one another, as lines beside a list: newest first, one row a version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from governance.models import Deployment, ModelVersion
from governance.web.case_history import method_inside
from governance.web.case_tabs import PLACE_STATES

Context = dict[str, Any]
#: So many versions are drawn; the table below holds all.
DRAWN = 60


@dataclass(frozen=True, kw_only=True)
class Row:
    """Lanes at one version: its own, those that pass by, those that join it; whether it has a child and a parent."""

    lane: int
    passing: list[int]
    joining: list[int]
    above: bool
    below: bool


def lanes(line: Sequence[tuple[int, int | None]]) -> list[Row]:
    """Where each version stands; `line` holds (version, parent), children before their parents.

    A lane waits for the parent of the version that began it. Versions with one parent share its lane: the first child
    from above keeps it, others join it there.
    """
    known, rows = {version for version, _parent in line}, []
    held: list[int | None] = []
    for version, parent in line:
        mine = [place for place, wanted in enumerate(held) if wanted == version]
        lane = mine[0] if mine else next((n for n, wanted in enumerate(held) if wanted is None), len(held))
        if lane == len(held):
            held.append(None)
        for place in mine[1:]:
            held[place] = None
        held[lane] = parent if parent in known else None
        passing = [place for place, wanted in enumerate(held) if wanted is not None and place != lane]
        below = held[lane] is not None
        rows.append(Row(lane=lane, passing=passing, joining=mine[1:], above=bool(mine), below=below))
    return rows


def tree(versions: Sequence[ModelVersion], places: Sequence[Deployment], states: dict[str, str]) -> Context:
    """Values of `operations/_tree.html`; nothing for a single version. `states`: state of a version -> glyph."""
    shown = list(versions)[:DRAWN]
    if len(shown) < 2:
        return {}
    rows = lanes([(one.pk, one.parent_id) for one in shown])
    width = 1 + max(max([row.lane, *row.passing, *row.joining]) for row in rows)
    here: dict[int, list[Deployment]] = {}
    for place in places:
        here.setdefault(place.version_id, []).append(place)
    return {
        "tree": [
            {"row": row, "version": one, "url": reverse("version", args=[one.model.public_id, one.revision]),
             "state": states[one.state], "word": one.get_state_display(), "made": _made(one),
             "places": [{"name": place.place, "state": "pass" if place.state == "serving" and one.state == "released"
                         else PLACE_STATES[place.state], "word": place.get_state_display()}
                        for place in here.get(one.pk, [])]}
            for one, row in zip(shown, rows, strict=True)
        ],
        "tree_lanes": width,
        "tree_more": max(0, len(versions) - DRAWN),
    }  # fmt: skip


def _made(version: ModelVersion) -> str:
    how = method_inside(version.method)
    if version.parent is None:
        return how
    if version.parent.model_id == version.model_id:
        return _("%(how)s, from rev. %(n)d") % {"how": how, "n": version.parent.revision}
    return _("%(how)s, from %(version)s") % {"how": how, "version": version.parent}
