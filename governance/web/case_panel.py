"""The one thing to do now: by the case's status and by who looks. A policy that refuses says so instead of a button."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.models import Case, Deployment, Disposition, Match, Plan, Relation, Release, Status, User
from governance.policies import Actor, Permission, entered, may, proof_unlocks_weights
from governance.selectors import jobs as select_jobs
from governance.services import decision, planning
from governance.services.clocks import refusal_to_extend
from governance.transitions import TRANSITIONS
from governance.web import case_words, job_failures, proof_actions
from governance.web.case_actions import ACTIONS
from governance.web.case_history import counts_words, method_title
from governance.web.case_matches import free_text
from governance.web.guards import roles_with
from governance.web.shard_map import percent, stage_words, times
from governance.web.staff_forms import CaseForm, ShownForm

S = Status
Bound = Mapping[str, CaseForm]
Panel = dict[str, Any]
#: Actions by which a person decides, so that whoever is party to the case finds no button.
DECIDING = frozenset(
    {"proof", "review", "answer", "propose", "approve", "plan", "confirm", "release", "refuse", "extend", "add_law"}
    | {"end_law", "withdraw", "hold", "lift_ask", "lift", "abuse", "abuse_second", *proof_actions.ACTIONS}
)


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Who looks at which case, with the hits, and the form that was sent back with errors."""

    case: Case
    actor: Actor
    hits: list[Match]
    bound: Bound
    #: Why this person decides nothing in the case; empty for everybody else.
    partial: str = ""

    def form(self, name: str, shown: str) -> CaseForm:
        """The form of an action: as it was sent, or fresh; an answer with the mark of what the page shows."""
        form = self.bound.get(name) or ACTIONS[name].form(self.case, auto_id=f"{name}_%s")
        if isinstance(form, ShownForm):
            form.show(shown)
        return form

    def ask(self, name: str, submit: str, shown: str = "") -> Panel:
        """Form, address and button of an action, or why this reader sees none."""
        action = ACTIONS[name]
        if not any(may(self.actor, permission) for permission in action.permissions):
            roles = ", ".join(roles_with(*action.permissions))
            return {"why_not": _("This step is for: %(roles)s.") % {"roles": roles}}
        if self.partial and name in DECIDING:
            return {"why_not": self.partial}
        asked = {"form": self.form(name, shown), "action": address(self.case, name), "submit": submit}
        looks = name in ("review", "extend") and may(self.actor, Permission.WRITE_LETTER)
        return {**asked, "preview": reverse("case_letter_preview", args=[self.case.public_id])} if looks else asked


def address(case: Case, name: str) -> str:
    """Where an action is posted to."""
    return reverse(f"case_{name}", args=[case.public_id])


def when(moment: Any) -> str:
    """`20 Nov, 16:12`."""
    return date_format(timezone.localtime(moment), "j M, H:i")


def _proof(desk: Desk) -> Panel:
    unlocks = proof_unlocks_weights(desk.case)
    note = (
        _("What is recorded unlocks a change of weights.")
        if unlocks
        else _("What is recorded so far allows exclusion from future training, not a change of weights.")
    )
    return {"title": _("Record a proof"), "note": note, **desk.ask("proof", _("Record"))}


def _give_back(desk: Desk) -> Panel:
    """Works that their claimant gives free again: two people agree."""
    case = desk.case
    panel: Panel = {
        "title": _("Give the works back"),
        "note": _("Two people sign. What is held goes back into training; models that were changed stay as they are."),
    }
    if case.proposed_by_id is None:
        return {**panel, **desk.ask("give_back", _("Sign as first reviewer"))}
    own = getattr(desk.actor.user, "pk", None) == case.proposed_by_id
    if own or entered(case, desk.actor):
        why = _("You signed or entered this; the second signature is another person's.")
        return {**panel, "why_not": why, "ends": "take_back" if own else ""}
    return {**panel, **desk.ask("give_back_second", _("Sign as second reviewer")), "ends": "refuse"}


def _review(desk: Desk) -> Panel:
    if desk.case.relation == Relation.RETURN:
        return _give_back(desk)
    return {"title": _("Review"), "note": _("One officer decides whether the request is taken up."),
            "after_title": _("Then"),
            "after": _("Admitted works are compared with every record of every training dataset."),
            **desk.ask("review", _("Sign the review"))}  # fmt: skip


def _information(desk: Desk) -> Panel:
    back = S(desk.case.return_to).label.lower() if desk.case.return_to else ""
    note = _("A question is with the claimant. The answer brings the case back to %(stage)s.") % {"stage": back}
    return {"title": _("Waiting for information"), "note": note, **desk.ask("answer", _("The answer has come"))}


def _signature(who: User | None, moment: Any, note: str, waiting: str) -> Panel:
    if who is None or moment is None:
        return {"signed": False, "state": waiting, "note": note}
    return {"signed": True, "name": str(who), "note": f"{note}, {when(moment)}"}


def proposal_words(hits: Iterable[Match]) -> str:
    """`erase 24, refuse 1`."""
    return counts_words(Counter(str(hit.decision.choice) for hit in hits if hasattr(hit, "decision")))


def case_entered_by(desk: Desk) -> bool:
    """Whether this reader may approve, had they not entered the request themselves."""
    user = desk.actor.user
    return user is not None and may(desk.actor, Permission.APPROVE) and entered(desk.case, desk.actor)


def _decision(desk: Desk) -> Panel:
    decisions = [hit.decision for hit in desk.hits if hasattr(hit, "decision")]
    complete = len(decisions) == len(desk.hits)
    first = decisions[0] if decisions and complete else None
    mine = any(one.proposed_by_id == getattr(desk.actor.user, "pk", None) for one in decisions)
    proposed = (
        _("First signature. Proposes: %(what)s") % {"what": proposal_words(desk.hits)}
        if first
        else _("First signature")
    )
    can_approve = may(desk.actor, Permission.APPROVE)
    second_waits = _("waiting for you") if can_approve and not mine and complete else _("waiting")
    panel: Panel = {
        "title": _("Decision"),
        "note": _("Two people sign. Whoever proposes cannot approve."),
        "signatures": [
            _signature(
                first.proposed_by if first else None, first.proposed_at if first else None, proposed, _("waiting")
            ),
            {"signed": False, "state": second_waits, "note": _("Second signature, by an approver")},
        ],
        "reasons": sorted({free_text(desk.case, d.reason, desk.actor) for d in decisions if d.reason}),
        "after": _("Records to be erased leave the training catalogue at once; then a plan is computed."),
    }
    shown = decision.mark(desk.case, decisions)
    if not complete or (desk.hits and not first) or "propose" in desk.bound:
        panel |= desk.ask("propose", _("Sign as first reviewer"), shown)
        panel["exceptions"] = "form" in panel
    elif mine:
        panel["why_not"] = _("You signed the proposal, so the second signature has to be another person's.")
        panel["ends"] = "take_back"
    elif case_entered_by(desk):
        panel["why_not"] = _("You entered this request for somebody; the second signature is another person's.")
    else:
        panel |= desk.ask("approve", _("Sign as second reviewer"), shown)
        panel["irreversible"] = _("Asks for your password. Entered in the ledger; it cannot be undone.")
    if not desk.hits:
        panel["note"] = _("No record was found. A second person confirms that nothing is to be decided.")
    return panel


def _planning(desk: Desk) -> Panel:
    plan = desk.case.plans.filter(state=Plan.State.PROPOSED).select_related("chosen_by", *planning.MARKED).last()
    if plan is None:
        return {"title": _("Planning"), "note": _("The next plan is being worked out."), "why_not": ""}
    words = ngettext("%(n)d record", "%(n)d records", plan.forget_count) % {"n": plan.forget_count}
    confirms = may(desk.actor, Permission.CONFIRM_PLAN)
    chosen = getattr(desk.actor.user, "pk", None) == plan.chosen_by_id
    mine = chosen or (confirms and entered(desk.case, desk.actor))
    can_confirm = confirms and plan.chosen_by_id and not mine
    panel: Panel = {
        "title": _("Plan %(n)d") % {"n": plan.attempt},
        "note": _("%(method)s, to forget %(records)s. Two people sign, before the run; its thresholds are fixed then.")
        % {"method": method_title(plan.method), "records": words}
        + _deletion_words(plan),
        "signatures": [
            _signature(plan.chosen_by, plan.chosen_at, _("First signature, by an engineer"), _("waiting")),
            {
                "signed": False,
                "state": _("waiting for you") if can_confirm else _("waiting"),
                "note": _("Second signature, by another person"),
            },
        ],
        "after_title": _("After the second signature"),
        "after": _("The run starts on the GPU queue. A separate job then judges the result by these thresholds."),
    }
    if plan.chosen_by_id is None:
        return {**panel, **desk.ask("plan", _("Sign the plan"))}
    if mine:
        why = _("You signed the plan or entered the request; another person confirms it.")
        return {**panel, "why_not": why, "ends": "take_back" if chosen else ""}
    return {**panel, **desk.ask("confirm", _("Sign as second person"), planning.mark(plan))}


def _deletion_words(plan: Plan) -> str:
    """What a deletion from a lineage takes, in one sentence more."""
    if not plan.deletion:
        return ""
    found = plan.deletion
    text = " " + _("Trained again: %(stages)s; %(share)s of the lineage's training.") % {
        "stages": stage_words(found["first_slices"]), "share": percent(found["share"])}  # fmt: skip
    if found["cases"] > 1:
        text += " " + _("One pass for %(n)d requests; one by one they would take %(times)s.") % {
            "n": found["cases"], "times": times(found["one_by_one_passes"], found["passes"])}  # fmt: skip
    return text


def waiting_places(case: Case) -> list[Deployment]:
    """Places of the version that this case replaces which are not yet accounted for."""
    waiting = [Deployment.State.SERVING, Deployment.State.PENDING]
    return list(Deployment.objects.filter(version__in=case.plans.values("base"), state__in=waiting))


def _release(desk: Desk) -> Panel:
    signed = Release.objects.filter(case=desk.case).select_related("released_by", "legal_by").first() or Release()
    sides = (
        (signed.released_by, signed.released_at, _("The release manager"), Permission.RELEASE_MODEL),
        (signed.legal_by, signed.legal_at, _("Legal"), Permission.RELEASE_LEGAL),
    )
    lines, open_to_me, filed = [], False, entered(desk.case, desk.actor)
    for who, moment, side, permission in sides:
        mine = may(desk.actor, permission) and not filed
        open_to_me = open_to_me or (mine and moment is None)
        lines.append(_signature(who, moment, side, _("waiting for you") if mine else _("waiting")))
    panel: Panel = {
        "title": _("Release"),
        "note": _("Two signatures put the new version in service."),
        "signatures": lines,
    }
    if not all(moment for _who, moment, _side, _permission in sides):
        panel["ends"] = _release_ends(desk, signed)
        if filed and any(may(desk.actor, p) for *_rest, p in sides):
            return {
                **panel,
                "why_not": _("You entered this request for somebody, or works of it; other people release it."),
            }
        if any(may(desk.actor, p) for *_rest, p in sides) and not open_to_me:
            return {**panel, "why_not": _("You signed, or your side did. The other signature is another person's.")}
        after = _("The old version is retired, its places wait for the new one, its weights get a date of deletion.")
        return {**panel, **desk.ask("release", _("Sign the release")), "after": after}
    waiting = waiting_places(desk.case)
    if waiting:
        text = ngettext(
            "%(n)d place of the old version still waits. Record it below as replaced or unreachable.",
            "%(n)d places of the old version still wait. Record each below as replaced or unreachable.",
            len(waiting),
        )
        return {**panel, "why_not": text % {"n": len(waiting)}}
    panel["note"] = _("Every place of the old version is accounted for.")
    return {**panel, **desk.ask("finish", _("Have the report written"))}


def _release_ends(desk: Desk, signed: Release) -> str:
    """By which step a first signature that stands alone ends without the second."""
    first = signed.released_by or signed.legal_by
    if first is None:
        return ""
    if first == desk.actor.user:
        return "take_back"
    other = Permission.RELEASE_LEGAL if signed.released_by else Permission.RELEASE_MODEL
    return "refuse" if may(desk.actor, other) else ""


def _machine(title: str, note: str) -> Callable[[Desk], Panel]:
    return lambda desk: {"title": _(title), "note": _(note)}


def _unlearning(desk: Desk) -> Panel:
    note = _("The confirmed plan is running. Its result is judged by another job.")
    if lead := select_jobs.leading(desk.case):
        note = _("The run of case %(number)s deletes the records of this case too. Its result is judged here by a "
                 "job of its own.") % {"number": lead.number}  # fmt: skip
    return {"title": _("Unlearning"), "note": note}


def _closed(desk: Desk) -> Panel:
    case, report = desk.case, getattr(desk.case, "report", None)
    panel: Panel = {
        "title": str(Disposition(case.disposition).label),
        "note": _("Closed on %(day)s.") % {"day": date_format(timezone.localtime(case.closed_at), "j F Y")}
        if case.closed_at
        else "",
    }
    if report and may(desk.actor, Permission.SEE_REPORTS):
        panel["link"] = {"url": reverse("report", args=[report.number]), "text": _("Signed report (PDF)")}
    return panel


_BY_STATUS: Mapping[Status, Callable[[Desk], Panel]] = {
    S.RECEIVED: _proof,
    S.PROOF: _proof,
    S.REVIEW: _review,
    S.INFORMATION: _information,
    S.MATCHING: _machine("Matching", "The works are being compared with the records. Nobody has to do anything now."),
    S.DECISION: _decision,
    S.PLANNING: _planning,
    S.UNLEARNING: _unlearning,
    S.VERIFICATION: _machine("Verification", "The probes are running under the thresholds fixed before the run."),
    S.RELEASE: _release,
    S.REPORTING: _machine("Report", "The report is being written and signed by a worker of its own."),
    S.NOTIFICATION: _machine("Notification", "The claimant is being told; then the case closes."),
    S.CLOSED: _closed,
}


def panel(desk: Desk) -> Panel:
    """The panel of the case as this reader sees it, with further steps below it."""
    said = _BY_STATUS[S(desk.case.status)](desk)
    if S(desk.case.status) in select_jobs.WORK and (job := select_jobs.stopped(desk.case)):
        said |= job_failures.held_up(job, desk.case, desk.actor)
    extras = [*_ends(desk, said.pop("ends", "")), *_extras(desk)]
    return {**said, "extras": [one for one in extras if "form" in one]}


def _ends(desk: Desk, name: str) -> list[Panel]:
    """How what waits for a second signature ends without one, at this reader's word."""
    if not name:
        return []
    title, submit = {
        "take_back": (_("Take back what you signed"), _("Take it back")),
        "refuse": (_("Refuse what was signed first"), _("Refuse, with reasons")),
    }[name]
    return [{"title": title, "open": name in desk.bound, **desk.ask(name, submit)}]


def _extras(desk: Desk) -> list[Panel]:
    """Steps that are possible beside the one that is due."""
    case, extras = desk.case, []
    if case.status == S.PROOF and may(desk.actor, Permission.REVIEW):
        extras.append({"title": _("Ask the claimant first"), **desk.ask("review", _("Send the question"))})
    if case.status in (S.REVIEW, S.MATCHING, S.DECISION, S.PLANNING) and may(desk.actor, Permission.RECORD_PROOF):
        extras.append({"title": _("Record a further proof"), **desk.ask("proof", _("Record"))})
    if case.is_open and may(desk.actor, Permission.RECORD_PROOF):
        extras += [
            {"title": title, "note": note, **desk.ask(name, submit)}
            for name, title, note, submit in proof_actions.offered(case)
        ]
    if case.is_open and may(desk.actor, Permission.EXTEND):
        extras += _clock_extras(desk)
    extras += _follow_extras(desk)
    step = TRANSITIONS.get((S(case.status), S.NOTIFICATION))
    withdrawable = step is not None and Permission.WITHDRAW in step.by
    if withdrawable and may(desk.actor, Permission.WITHDRAW):
        extras.append({"title": _("The claimant withdraws"), **desk.ask("withdraw", _("Close as withdrawn"))})
    for extra in extras:
        extra["open"] = extra.get("action", "").rstrip("/").rpartition("/")[2] in desk.bound
    return extras


def _follow_extras(desk: Desk) -> list[Panel]:
    """What came after the answer; another case that belongs to this one."""
    extras = []
    if may(desk.actor, Permission.FOLLOW_UP):
        asked = desk.ask("follow", _("Open the case"))
        if asked.get("why_not") or asked["form"].fields["relation"].choices:
            extras.append({"title": _("Appeal, complaint or giving back"), **asked})
    if may(desk.actor, Permission.REVIEW):
        extras.append({"title": _("Link another case"), **desk.ask("link", _("Link"))})
    return extras


def _clock_extras(desk: Desk) -> list[Panel]:
    """More time, where a law of the case allows it now; another law that applies as well."""
    clocks = case_words.clocks_of(desk.case)
    refusals = [refusal_to_extend(clock) for clock in clocks]
    extras = []
    if not clocks or not all(refusals):
        ask = desk.ask("extend", _("Extend, with reasons"))
        extras.append({"title": _("Extend the clock"), "note": " ".join(filter(None, refusals)), **ask})
    extras.append({"title": _("Another law applies as well"), **desk.ask("add_law", _("Add its clock"))})
    if len(clocks) > 1:
        extras.append({"title": _("A law does not apply"), **desk.ask("end_law", _("End its clock"))})
    return extras


def waiting_words(case: Case) -> str:
    """What is open now, for the head of the history."""
    if not case.is_open:
        return ""
    return _("Waiting at: %(stage)s") % {"stage": S(case.status).label.lower()}
