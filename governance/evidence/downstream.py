"""What a report says of those who run the version before elsewhere: the patch, and each subscriber's own word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from governance.evidence.printing import day, moment


def words(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """Sentences and rows of `downstream`; None for a document that has none."""
    found = document.get("downstream")
    if found is None:
        return None
    rows, patch = found["subscribers"], found["patch"]
    lines = [_patch(patch)]
    if rows:
        applied = sum(one["state"] == "applied" for one in rows)
        lines.append(
            _("Registered as running the model: %(n)d. Of these, stating that they applied the patch: %(applied)d.")
            % {"n": len(rows), "applied": applied}
        )
        lines.append(
            _(
                "Such a statement is signed with the key that we registered as theirs. It does not show that they "
                "deleted the old weights."
            )
        )
    named = [{"name": one["name"], "words": _state(one["state"]), "since": _since(one)} for one in rows]
    return {"lines": lines, "rows": named}


def _patch(patch: Mapping[str, Any] | None) -> str:
    if patch is None:
        return _("No patch that leads from the version before to the version after was published.")
    when = {"day": day(patch["published_at"][:10])}
    if patch["withdrawn"] is None:
        return _("A patch that leads from the version before to the version after was published on %(day)s.") % when
    return _(
        "A patch that leads from the version before to the version after was published on %(day)s and withdrawn on "
        "%(end)s: %(why)s"
    ) % {**when, "end": day(patch["withdrawn"]["at"][:10]), "why": _why(patch["withdrawn"]["reason"])}


def _why(code: str) -> str:
    return {
        "flawed": _("it does damage, or does not do what it says."),
        "verdict": _("its verdict holds no longer."),
        "rights": _("it should not have been given to everybody."),
        "replaced": _("another patch takes its place."),
    }[code]


def _state(state: str) -> str:
    return {
        "untold": _("not told by us; has stated nothing about such a patch"),
        "told": _("told; has stated nothing about this patch"),
        "fetched": _("states that it fetched the patch, not that it applied it"),
        "applied": _("states that it applied the patch"),
    }[state]


def _since(one: Mapping[str, Any]) -> str:
    return moment(one["since"]) if one["since"] else ""
