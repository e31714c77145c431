"""What a report says of thresholds that are easier to pass than the program's own, and of what was changed between two
plans of a case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.evidence import policy_words, said
from governance.evidence.numerals import apart
from governance.evidence.printing import moment

Document = Mapping[str, Any]
#: Characters of the reason that are printed; the evidence has all.
REASON = 400


def eased(document: Document) -> str:
    """In which points the policy is easier to pass than the program's own, who signed it, and why; empty otherwise."""
    found: Mapping[str, Any] = (document["policy"] or {}).get("eased") or {"changes": ()}
    points = policy_words.eased(found["changes"])
    if not points:
        return ""
    text = ngettext(
        "The thresholds are the issuer's own. In %(n)d point they are easier to pass than those of the program, whose "
        "values come first: %(points)s.",
        "The thresholds are the issuer's own. In %(n)d points they are easier to pass than those of the program, whose "
        "values come first: %(points)s.",
        len(points),
    )
    told = [text % {"n": len(points), "points": "; ".join(points)}]
    if found.get("proposed") and found.get("approved"):
        told.append(
            _("Proposed: %(first)s, %(proposed)s. Approved: %(second)s, %(approved)s.")
            % {
                "first": said.printed(found["proposed"]["role"]),
                "proposed": moment(found["proposed"]["at"]),
                "second": said.printed(found["approved"]["role"]),
                "approved": moment(found["approved"]["at"]),
            }
        )
    if reason := found.get("reason", ""):
        short = reason if len(reason) <= REASON else f"{reason[: REASON - 1].rstrip()}…"
        told.append(_("Reason: %(reason)s") % {"reason": apart(short)})
    return " ".join(told)


def changed_before(document: Document, place: int) -> str:
    """What was changed between an attempt and the one before it, which did not pass; empty where nothing was."""
    if not place:
        return ""
    before, now = document["attempts"][place - 1 : place + 1]
    one, other = before.get("compared") or {}, now.get("compared") or {}
    what = [_("thresholds")] if before["policy_digest"] != now["policy_digest"] else []
    for name, words in (("controls", _("never-seen controls")), ("reference", _("reference"))):
        if name in one and name in other and one[name] != other[name]:
            what.append(words)
    if not what:
        return ""
    return _("Changed after plan %(n)d had ended without a release: %(what)s.") % {
        "n": before["number"], "what": "; ".join(what)}  # fmt: skip
