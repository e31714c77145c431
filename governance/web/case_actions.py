"""What staff do to a case: one table of actions, each a form, a permission and the service that does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.clocks import LAWS
from governance.models import Case, Deployment, Status
from governance.policies import Actor, Permission
from governance.services import children, clocks, decision, intake, planning, proof, recipients, release, review
from governance.web import abuse_actions, clock_forms, desk_forms, follow_up, proof_actions, recipient_forms
from governance.web import desk_actions as desk
from governance.web import staff_forms as forms
from governance.web.propose_form import ProposeForm

P = Permission
Perform = Callable[[Case, Any, Actor], str]


@dataclass(frozen=True, kw_only=True)
class Action:
    """One thing that may be done: who may, whether it counts as a decision, what is asked, what is done."""

    permissions: tuple[Permission, ...]
    form: type[forms.CaseForm]
    perform: Perform
    decide: bool = True


@transaction.atomic
def _proof(case: Case, form: forms.ProofForm, actor: Actor) -> str:
    data = form.cleaned_data
    if data["level"]:
        proof.proof_record(case=case, level=data["level"], note=data["note"], actor=actor)
    if data.get("then") == "accept" and case.status == Status.PROOF:
        proof.proof_accept(case=case, actor=actor)
        return _("Proof accepted; the case is at review.")
    return _("Proof recorded.")


def _review(case: Case, form: forms.ReviewForm, actor: Actor) -> str:
    data = form.cleaned_data
    if data["choice"] == "admit":
        review.case_admit(case=case, actor=actor)
        return _("Admissible. The works are being looked for.")
    if data["choice"] == "refuse":
        review.case_refuse(case=case, actor=actor, reason=data["text"])
        return _("Refused. The claimant is being told.")
    pauses = bool(data.get("pauses_clock"))
    review.information_ask(case=case, actor=actor, question=data["text"], pauses_clock=pauses)
    return _("The question is on its way.")


def _answer(case: Case, form: forms.ConfirmForm, actor: Actor) -> str:
    review.information_receive(case=case, actor=actor)
    return _("The case is back where the question was asked.")


def _propose(case: Case, form: ProposeForm, actor: Actor) -> str:
    decision.decision_propose(case=case, proposals=form.proposals(), actor=actor, shown=form.cleaned_data["shown"])
    return _("Signed. A second person now decides.")


def _approve(case: Case, form: forms.ApproveForm, actor: Actor) -> str:
    data = form.cleaned_data
    if data["choice"] == "return":
        decision.decision_return(case=case, actor=actor, reason=data["reason"], shown=data["shown"])
        return _("Returned to the first reviewer.")
    decision.decision_approve(case=case, actor=actor, shown=data["shown"])
    return _("Approved.")


def _plan(case: Case, form: forms.PlanForm, actor: Actor) -> str:
    data = form.cleaned_data
    plan = planning.plan_choose(
        case=case, actor=actor, method=data.get("method") or "", reason=data.get("reason") or ""
    )
    return _("Plan %(n)d is signed. A second person now confirms it.") % {"n": plan.attempt}


def _plan_second(case: Case, form: forms.SecondForm, actor: Actor) -> str:
    data = form.cleaned_data
    if data["choice"] == "return":
        planning.plan_return(case=case, actor=actor, reason=data["reason"], shown=data["shown"])
        return _("Returned to the engineer.")
    plan = planning.plan_confirm(case=case, actor=actor, shown=data["shown"])
    return _("Plan %(n)d is confirmed; its thresholds stand in the ledger and the run is queued.") % {"n": plan.attempt}


def _sign(case: Case, form: forms.ConfirmForm, actor: Actor) -> str:
    signed = release.release_sign(case=case, actor=actor)
    if signed.released_at and signed.legal_at:
        return _("Both signatures are there: the new version is released.")
    return _("Signed. The release waits for the other signature.")


def _place(case: Case, form: forms.PlaceForm, actor: Actor) -> str:
    place, state = form.cleaned_data["place"], Deployment.State(form.cleaned_data["state"])
    release.deployment_record(deployment=place, state=state, case=case, actor=actor)
    return _("%(place)s is recorded as %(state)s.") % {"place": place.place, "state": state.label.lower()}


def _take_back(case: Case, form: forms.ConfirmForm, actor: Actor) -> str:
    {
        Status.DECISION: decision.decision_take_back,
        Status.PLANNING: planning.plan_take_back,
        Status.RELEASE: release.release_return,
    }.get(Status(case.status), children.return_end)(case=case, actor=actor)
    return _("Taken back. It may be proposed anew.")


def _refuse(case: Case, form: forms.RefuseForm, actor: Actor) -> str:
    end = release.release_return if case.status == Status.RELEASE else children.return_end
    end(case=case, actor=actor, reason=form.cleaned_data["reason"])
    return _("Refused. The history keeps why; it may be proposed anew.")


def _recipients(case: Case, form: recipient_forms.RecipientNoticeForm, actor: Actor) -> str:
    data, to = form.cleaned_data, form.cleaned_data["recipient"]
    if data["how"] == "send":
        recipients.notice_send(case=case, recipient=to, text=data["text"], actor=actor)
        return _("The notice to %(name)s is on its way.") % {"name": to.name}
    if data["how"] == "excuse":
        recipients.notice_excuse(case=case, recipient=to, reasons=data["text"], actor=actor)
        return _("%(name)s is recorded as not told; the reasons stand in the report.") % {"name": to.name}
    day = data["day"] or timezone.localdate()
    recipients.notice_record(case=case, recipient=to, channel=data["how"], day=day, text=data["text"], actor=actor)
    return _("%(name)s is recorded as told.") % {"name": to.name}


def _finish(case: Case, form: forms.ConfirmForm, actor: Actor) -> str:
    release.release_finish(case=case, actor=actor)
    return _("Every place is accounted for. The report is being written.")


def _extend(case: Case, form: forms.ExtendForm, actor: Actor) -> str:
    clocks.clock_extend(case=case, actor=actor, reasons=form.cleaned_data["reasons"])
    return _("Extended; the claimant is being told.")


def _add_law(case: Case, form: clock_forms.AddLawForm, actor: Actor) -> str:
    data = form.cleaned_data
    clock = clocks.clock_add(
        case=case, actor=actor, law=data["law"], because=data["because"], place=data.get("place") or ""
    )
    return _("The clock of %(law)s runs as well.") % {"law": LAWS[clock.law].title}


def _end_law(case: Case, form: clock_forms.EndLawForm, actor: Actor) -> str:
    clocks.clock_end(clock=form.cleaned_data["clock"], actor=actor, because=form.cleaned_data["because"])
    return _("That law no longer counts on this case.")


def _withdraw(case: Case, form: forms.WithdrawForm, actor: Actor) -> str:
    intake.case_withdraw(case=case, actor=actor, reason="Withdrawn at the claimant's word")
    return _("Withdrawn; the claimant is being told.")


_RELEASERS = (P.RELEASE_MODEL, P.RELEASE_LEGAL)

#: Last part of the address -> action. URLs, panels and the table of the policy's tests are made from this.
ACTIONS: Mapping[str, Action] = MappingProxyType(
    {
        "proof": Action(permissions=(P.RECORD_PROOF,), form=forms.ProofForm, perform=_proof),
        **{
            name: Action(permissions=(P.RECORD_PROOF,), form=form, perform=perform)
            for name, (form, perform) in proof_actions.ACTIONS.items()
        },
        "review": Action(permissions=(P.REVIEW,), form=forms.ReviewForm, perform=_review),
        "answer": Action(permissions=(P.REVIEW, P.RECORD_PROOF), form=forms.ConfirmForm, perform=_answer),
        "propose": Action(permissions=(P.PROPOSE,), form=ProposeForm, perform=_propose),
        "approve": Action(permissions=(P.APPROVE,), form=forms.ApproveForm, perform=_approve),
        "plan": Action(permissions=(P.CHOOSE_PLAN,), form=forms.PlanForm, perform=_plan),
        "confirm": Action(permissions=(P.CONFIRM_PLAN,), form=forms.ConfirmPlanForm, perform=_plan_second),
        "release": Action(permissions=_RELEASERS, form=forms.ConfirmForm, perform=_sign),
        "place": Action(permissions=(P.UPDATE_DEPLOYMENT,), form=forms.PlaceForm, perform=_place, decide=False),
        "recipients": Action(
            permissions=(P.TELL_RECIPIENTS,),
            form=recipient_forms.RecipientNoticeForm,
            perform=_recipients,
            decide=False,
        ),
        "finish": Action(permissions=_RELEASERS, form=forms.ConfirmForm, perform=_finish),
        "extend": Action(permissions=(P.EXTEND,), form=forms.ExtendForm, perform=_extend),
        "add_law": Action(permissions=(P.EXTEND,), form=clock_forms.AddLawForm, perform=_add_law),
        "end_law": Action(permissions=(P.EXTEND,), form=clock_forms.EndLawForm, perform=_end_law),
        "follow": Action(permissions=(P.FOLLOW_UP,), form=follow_up.FollowForm, perform=follow_up.follow),
        "link": Action(permissions=(P.REVIEW,), form=follow_up.LinkForm, perform=follow_up.link, decide=False),
        "give_back": Action(permissions=(P.PROPOSE,), form=forms.ConfirmForm, perform=follow_up.give_back),
        "give_back_second": Action(
            permissions=(P.APPROVE,), form=forms.ConfirmForm, perform=follow_up.give_back_second
        ),
        "take_back": Action(
            permissions=(P.PROPOSE, P.CHOOSE_PLAN, *_RELEASERS), form=forms.ConfirmForm, perform=_take_back
        ),
        "refuse": Action(permissions=(P.APPROVE, *_RELEASERS), form=forms.RefuseForm, perform=_refuse),
        "withdraw": Action(permissions=(P.WITHDRAW,), form=forms.WithdrawForm, perform=_withdraw),
        "take": Action(permissions=(P.ASSIGN,), form=forms.ConfirmForm, perform=desk.take, decide=False),
        "assign": Action(permissions=(P.ASSIGN,), form=desk_forms.AssignForm, perform=desk.assign, decide=False),
        "note": Action(permissions=(P.NOTES,), form=desk_forms.NoteForm, perform=desk.note, decide=False),
        "strike": Action(permissions=(P.NOTES,), form=desk_forms.StrikeForm, perform=desk.strike, decide=False),
        "declare": Action(permissions=(P.DECLARE,), form=desk_forms.InterestForm, perform=desk.declare, decide=False),
        "seen": Action(permissions=(P.REVIEW,), form=desk_forms.SeenForm, perform=desk.seen, decide=False),
        "hold": Action(permissions=(P.HOLD,), form=desk_forms.HoldForm, perform=desk.hold),
        "lift_ask": Action(permissions=(P.HOLD,), form=desk_forms.LiftForm, perform=desk.lift_ask),
        "lift": Action(permissions=(P.HOLD,), form=forms.ShownForm, perform=desk.lift),
        "lift_end": Action(permissions=(P.HOLD,), form=desk_forms.LiftEndForm, perform=desk.lift_end),
        "abuse": Action(permissions=(P.PROPOSE_ABUSE,), form=abuse_actions.AbuseForm, perform=abuse_actions.propose),
        "abuse_second": Action(
            permissions=(P.APPROVE_ABUSE,), form=abuse_actions.AbuseSecondForm, perform=abuse_actions.answer
        ),
        "abuse_end": Action(permissions=(P.PROPOSE_ABUSE,), form=forms.ConfirmForm, perform=abuse_actions.take_back),
    }
)
