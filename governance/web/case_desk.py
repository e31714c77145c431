"""The desk's own parts of a case: who has it, notes, conflicts of interest, the legal hold, and cases beside it."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from governance.errors import KeyDestroyed
from governance.models import AbuseFinding, Case, CaseLink, Hold, Note
from governance.policies import Actor, Permission, may
from governance.selectors import cases as select
from governance.services.holds import hold_of, lift_mark
from governance.web import abuse_actions, case_words
from governance.web.case_panel import Desk, Panel, address, when

ERASED = "—"


def readable(row: Any, name: str) -> str:
    """A sealed text, or a dash where the person's key was destroyed."""
    try:
        return str(getattr(row, name))
    except KeyDestroyed:
        return ERASED


def extras(desk: Desk, finding: AbuseFinding | None) -> list[Panel]:
    """Steps beside the one that is due: each a form that opens below the panel."""
    found: list[Panel] = []

    def offer(name: str, title: str, submit: str, shown: str = "") -> Panel:
        asked = {"title": title, "open": name in desk.bound, **desk.ask(name, submit, shown)}
        if "form" in asked:
            found.append(asked)
        return asked

    case, actor = desk.case, desk.actor
    if case.news_at and may(actor, Permission.REVIEW):
        offer("seen", _("Word from the claimant"), _("I have read it"))
    if may(actor, Permission.ASSIGN) and case.is_open:
        offer("assign", _("Assign the case"), _("Assign"))
    if may(actor, Permission.NOTES):
        offer("note", _("Write an internal note"), _("Keep the note"))
    if may(actor, Permission.HOLD):
        _hold(desk, hold_of(case), offer)
    for name, title, submit in abuse_actions.offers(case, finding, actor):
        asked = offer(name, title, submit, str(finding.pk) if finding else "")
        asked["said"] = abuse_actions.reasons(case, finding, actor) if finding else ""
    declared = any(one.person == actor.user for one in select.interests(case))
    if may(actor, Permission.DECLARE) and case.is_open and not declared:
        offer("declare", _("Declare a conflict of interest"), _("Declare it"))
    return found


def _hold(desk: Desk, hold: Hold | None, offer: Any) -> None:
    if hold is None:
        offer("hold", _("Set a legal hold"), _("Set the hold"))
    elif hold.lift_asked_by is None:
        offer("lift_ask", _("Ask to lift the legal hold"), _("Sign first"))
    elif hold.lift_asked_by != desk.actor.user:
        offer("lift", _("Lift the legal hold"), _("Sign second and lift it"), lift_mark(hold))
        if not desk.partial:
            offer("lift_end", _("Leave the legal hold as it is"), _("Refuse to lift it"), lift_mark(hold))
    else:
        title = _("Take back that you asked to lift the legal hold")
        own = offer("lift_end", title, _("Take it back"), lift_mark(hold))
        own["form"].fields.pop("reason", None)


def notices(case: Case, finding: AbuseFinding | None, actor: Actor, partial: str) -> list[dict[str, str]]:
    """What everybody at the case must know first: a hold, declared interests, one's own part in it."""
    found = []
    if case.news_at:
        title = _("Word from the claimant, unread since %(when)s") % {"when": when(case.news_at)}
        where = _("An answer stands under Request, a proof under Proof, what was sent under Request and Files.")
        found.append({"kind": "waiting", "title": title, "text": where})
    if case.held_at:
        hold = hold_of(case)
        text = _("Nothing of the case is deleted while it stands.")
        if hold and may(actor, Permission.HOLD):
            text = f"{readable(hold, 'reason')} {text}"
        if hold and hold.lift_asked_by:
            asked = _("%(name)s asked to lift it; a second person's signature is due.")
            text = f"{text} {asked % {'name': hold.lift_asked_by}}"
        title = _("Legal hold since %(day)s") % {"day": date_format(case.held_at, "j F Y")}
        found.append({"kind": "at_risk", "title": title, "text": text})
    if mark := abuse_actions.notice(case, finding, actor):
        found.append(mark)
    if partial:
        found.append({"kind": "info", "title": _("You decide nothing in this case"), "text": partial})
    return found


def take_action(case: Case, actor: Actor) -> str:
    """Where the button `Take it` posts to, for whoever may have the case and does not."""
    free = case.is_open and case.officer_id is None and may(actor, Permission.ASSIGN)
    return address(case, "take") if free else ""


def notes(case: Case, actor: Actor) -> dict[str, Any]:
    """The tab of notes: struck ones stay, crossed out."""
    reads = may(actor, Permission.NOTES)
    return {
        "tab_template": "casework/_tab_notes.html",
        "notes": [_note(case, note) for note in select.notes(case, actor)],
        "notes_hidden": not reads,
        "interests": [
            {
                "person": str(one.person),
                "when": when(one.declared_at),
                "what": readable(one, "what") if reads else _("read by legal officers and approvers only"),
            }
            for one in select.interests(case)
        ],
        "holds": [_hold_line(hold, reads) for hold in select.holds(case)],
    }


def _note(case: Case, note: Note) -> dict[str, Any]:
    struck = ""
    if note.struck_at:
        struck = _("Struck by %(name)s, %(when)s") % {"name": note.struck_by, "when": when(note.struck_at)}
    return {
        "pk": note.pk,
        "text": readable(note, "text"),
        "author": str(note.author),
        "when": when(note.written_at),
        "struck": struck,
        "strike_action": "" if note.struck_at else address(case, "strike"),
    }


def _hold_line(hold: Hold, reads: bool) -> dict[str, Any]:
    hidden = _("read by legal officers and approvers only")
    steps = [_("Set by %(name)s, %(when)s") % {"name": hold.placed_by, "when": when(hold.placed_at)}]
    if hold.lift_asked_at:
        steps.append(
            _("Lifting asked by %(name)s, %(when)s") % {"name": hold.lift_asked_by, "when": when(hold.lift_asked_at)}
        )
    if hold.lifted_at:
        steps.append(_("Lifted by %(name)s, %(when)s") % {"name": hold.lifted_by, "when": when(hold.lifted_at)})
    return {
        "reason": readable(hold, "reason") if reads else hidden,
        "lift_reason": (readable(hold, "lift_reason") if reads else hidden) if hold.lift_asked_at else "",
        "steps": steps,
        "stands": hold.lifted_at is None,
    }


def beside(case: Case, actor: Actor) -> dict[str, Any]:
    """The tab of cases beside this one: duplicates, several claimants on one work, the claimant's other cases."""
    lines: list[tuple[str, list[Case]]] = [
        (_("Before and after"), select.family(case)),
        *(_linked(case)),
        (_("On the same records"), select.on_the_same_records(case)),
    ]
    if may(actor, Permission.REVEAL_PERSON):
        lines.append((_("Of the same claimant"), select.of_the_same_claimant(case)))
    rows = [_beside(why, other) for why, others in lines for other in others]
    return {
        "tab_template": "casework/_tab_plain.html",
        "tab_title": _("Cases beside this one"),
        "tab_note": _("Links never block: each case is decided on its own."),
        "tab_columns": [_("Case"), _("Why"), _("Stage"), _("Officer")],
        "tab_rows": rows,
        "tab_empty": _("No other case touches this one."),
    }


def _linked(case: Case) -> list[tuple[str, list[Case]]]:
    found: dict[str, list[Case]] = {}
    for link in select.links(case):
        other = link.other if link.case_id == case.pk else link.case
        found.setdefault(str(CaseLink.Why(link.why).label), []).append(other)
    return list(found.items())


def _beside(why: str, other: Case) -> list[Any]:
    number = {"text": other.number, "url": reverse("case", args=[other.public_id]), "mono": True}
    return [number, why, case_words.stage(other)["label"], str(other.officer or _("nobody yet"))]
