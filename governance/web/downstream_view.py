"""The section of a version's page that says who may still run its weights."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.models import Deployment, ModelVersion
from governance.selectors import downstream as select
from governance.web.case_tabs import PLACE_STATES
from governance.web.duty_pages import when

Context = dict[str, Any]


def part(version: ModelVersion) -> Context:
    """What the page of a version says of whoever may still run it; nothing while it is the one in service."""
    before = version.parent if version.parent and select.replaced(version.parent) else None
    link = reverse("version", args=[before.model.public_id, before.revision]) if before else ""
    if not select.replaced(version):
        return {"before_url": link, "before": before}
    found = select.standing(version)
    return {
        "before_url": link, "before": before,
        "still": {
            "sentences": _sentences(found),
            "place_columns": [_("Place"), _("State"), _("Since")],
            "place_rows": [_place(one) for one in found.places],
            "columns": [_("Who"), _("State"), _("Since"), _("Digest of the statement")],
            "rows": [_row(one, bool(found.publication and found.publication.withdrawal)) for one in found.subscribers],
        },
    }  # fmt: skip


def _sentences(found: select.Downstream) -> list[str]:
    here = [one for one in found.places if one.state not in (Deployment.State.REPLACED, Deployment.State.WITHDRAWN)]
    said = [
        ngettext(
            "%(n)d place of our own is not accounted for.", "%(n)d places of our own are not accounted for.", len(here)
        ) % {"n": len(here)}
        if here
        else _("No place of our own is known to answer with these weights."),
    ]  # fmt: skip
    row = found.publication
    if row is None:
        said.append(_("No patch that leads away from these weights was published."))
    elif gone := row.withdrawal:
        said.append(
            _("The patch that leads away from these weights was published %(day)s and withdrawn %(end)s: %(why)s.")
            % {"day": when(row.approved_at), "end": when(gone.approved_at), "why": gone.get_reason_display()}
        )
    else:
        said.append(_("The patch that leads away from these weights was published %(day)s.")
                    % {"day": when(row.approved_at)})  # fmt: skip
    if row and found.subscribers:
        said.append(
            _("Subscribers that have not stated that the patch is applied there: %(silent)d of %(n)d.")
            % {"silent": len(found.silent), "n": len(found.subscribers)}
        )
    said.append(
        _("An acknowledgement is the subscriber's own signed word. It does not show that old weights were deleted.")
    )
    return said


def _place(one: Deployment) -> list[Any]:
    return [one.place, {"state": PLACE_STATES[one.state], "text": one.get_state_display()}, when(one.changed_at)]


def _row(one: select.Standing, withdrawn: bool) -> list[Any]:
    words: dict[str, Context] = {
        select.UNTOLD: {"state": "waiting", "text": _("nothing stated"), "note": _("we did not tell them")},
        select.TOLD: {"state": "waiting", "text": _("told"), "note": _("nothing stated about this patch")},
        select.FETCHED: {"state": "running", "text": _("fetched"), "note": _("by their own word")},
        select.APPLIED: {"state": "pass", "text": _("applied"), "note": _("by their own word")},
    }
    digest, state = {"digest": one.word.digest} if one.word else "", words[one.state]
    if withdrawn:  # what they did with it counts for less, and may have to be undone
        before = _("before that: %(state)s") % {"state": state["text"]}
        state = {"state": "fail", "text": _("patch withdrawn"), "note": before}
    return [one.subscriber.name, state, when(one.since) if one.since else "", digest]
