"""The steps that a case can make, as one table: from where, by which event, by whom, under which condition, and which
entries of the ledger are its evidence. `lifecycle.advance` is the only thing that makes a step.

Documentation (`manage.py lifecycle`), the case page and the tests are all read from this table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from governance.models import Case, Decision, Relation, Release, Role, Status
from governance.policies import CLAIMANT_GRANTS, GRANTS, Permission, proof_unlocks_weights

S = Status
P = Permission


@dataclass(frozen=True)
class Guard:
    """What must hold, in words, and the check: an empty answer, or why it does not hold."""

    words: Any
    check: Callable[[Case], str]


@dataclass(frozen=True, kw_only=True)
class Transition:
    """One step. `evidence` names the entries that are written with it, beside `case.advanced`."""

    event: Any
    by: tuple[Permission, ...]
    guard: Guard | None = None
    evidence: tuple[str, ...] = ()
    job: str = ""
    needs_disposition: bool = False


def _has_proof(case: Case) -> str:
    return "" if case.proofs.counting().exists() else "Record a proof first: at least the link in the e-mail."


def _all_approved(case: Case) -> str:
    open_hits = case.matches.filter(decision__approved_at__isnull=True).count()
    return f"{open_hits} hits still wait for a decision by two people." if open_hits else ""


def _to_planning(case: Case) -> str:
    if problem := _all_approved(case):
        return problem
    if not case.matches.filter(decision__choice=Decision.Choice.ERASE).exists():
        return "No hit is to be erased, so there is nothing to plan."
    if not proof_unlocks_weights(case):
        return "A change of weights needs a stronger proof of this claimant; record it first."
    return ""


def _plan_confirmed(case: Case) -> str:
    return "" if case.plans.filter(state="confirmed").exists() else "No plan is confirmed by two people."


def _released(case: Case) -> str:
    signed = Release.objects.filter(case=case, released_at__isnull=False, legal_at__isnull=False)
    return "" if signed.exists() else "Both signatures are needed: the release manager's and legal's."


def _unsigned(case: Case) -> str:
    return "A decision is signed already; what comes later is a request of its own." if case.proposed_by_id else ""


def _to_matching(case: Case) -> str:
    if case.relation == Relation.RETURN:
        return "Nothing is looked for here: two people give the works back, or the request is refused."
    return _has_proof(case)


PROOF = Guard(_("a proof is recorded"), _has_proof)
TO_MATCHING = Guard(_("a proof is recorded"), _to_matching)
UNSIGNED = Guard(_("nobody has signed a decision"), _unsigned)
APPROVED = Guard(_("two people decided every hit"), _all_approved)
TO_PLANNING = Guard(_("two people decided every hit, one is to be erased, and the proof allows it"), _to_planning)
CONFIRMED = Guard(_("two people signed the plan"), _plan_confirmed)
RELEASED = Guard(_("the release manager and legal signed"), _released)
_MACHINE = (P.RUN_MACHINE,)
_LETTER = ("letter.written",)


def _machine(event: Any, **more: Any) -> Transition:
    return Transition(event=event, by=_MACHINE, **more)


def _withdrawn() -> Transition:
    return Transition(
        event=_("the claimant takes the request back; early on, two people find abuse"),
        by=(P.WITHDRAW, P.APPROVE_ABUSE),
        job="notify",
        needs_disposition=True,
    )


#: (from, to) -> what the step takes. A step that is not here does not exist.
TRANSITIONS: Mapping[tuple[Status, Status], Transition] = MappingProxyType(
    {
        (S.RECEIVED, S.PROOF): Transition(
            event=_("the address is confirmed, or a proof recorded"),
            by=(P.CONFIRM_EMAIL, P.RECORD_PROOF),
            evidence=("proof.recorded",),
        ),
        (S.PROOF, S.REVIEW): Transition(
            event=_("the proof is accepted by a person, or shown by a challenge that suffices"),
            by=(P.RECORD_PROOF, P.RUN_MACHINE),
            guard=PROOF,
            evidence=("proof.recorded",),
        ),
        (S.PROOF, S.INFORMATION): Transition(event=_("the claimant is asked"), by=(P.REVIEW,), evidence=_LETTER),
        (S.REVIEW, S.INFORMATION): Transition(event=_("the claimant is asked"), by=(P.REVIEW,), evidence=_LETTER),
        (S.INFORMATION, S.PROOF): Transition(event=_("the answer came"), by=(P.REVIEW, P.RECORD_PROOF, P.ANSWER)),
        (S.INFORMATION, S.REVIEW): Transition(event=_("the answer came"), by=(P.REVIEW, P.RECORD_PROOF, P.ANSWER)),
        (S.REVIEW, S.MATCHING): Transition(
            event=_("the request is admitted"), by=(P.REVIEW,), guard=TO_MATCHING, job="match"
        ),
        (S.REVIEW, S.NOTIFICATION): Transition(
            event=_("the request is refused with reasons, or taken back; works are given back by two people"),
            by=(P.REVIEW, P.WITHDRAW, P.APPROVE),
            evidence=_LETTER,
            job="notify",
            needs_disposition=True,
        ),
        (S.MATCHING, S.DECISION): _machine(_("every dataset is searched"), evidence=("matching.finished",)),
        (S.DECISION, S.MATCHING): Transition(
            event=_("works are added before anybody has signed; a file's text comes from the scanner"),
            by=(P.ADD_WORKS, P.ENTER_CASE, P.RUN_MACHINE),
            guard=UNSIGNED,
            evidence=("works.added",),
            job="match",
        ),
        (S.DECISION, S.PLANNING): Transition(
            event=_("a second person approves"),
            by=(P.APPROVE,),
            guard=TO_PLANNING,
            evidence=("decision.proposed", "decision.approved"),
            job="plan",
        ),
        (S.DECISION, S.REPORTING): Transition(
            event=_("a second person approves that nothing is erased"),
            by=(P.APPROVE,),
            guard=APPROVED,
            evidence=("decision.proposed", "decision.approved"),
            job="report",
            needs_disposition=True,
        ),
        (S.PLANNING, S.UNLEARNING): Transition(
            event=_("a second person confirms the plan"),
            by=(P.CONFIRM_PLAN,),
            guard=CONFIRMED,
            evidence=("plan.proposed", "plan.signed", "plan.confirmed"),
            job="unlearn",
        ),
        (S.PLANNING, S.REPORTING): _machine(
            _("nothing is left to try"),
            evidence=("model.withdrawal_proposed",),
            job="report",
            needs_disposition=True,
        ),
        (S.UNLEARNING, S.VERIFICATION): _machine(_("the run ended"), evidence=("unlearning.finished",), job="verify"),
        (S.UNLEARNING, S.PLANNING): _machine(_("the run failed"), evidence=("job.failed",), job="plan"),
        (S.VERIFICATION, S.PLANNING): _machine(
            _("forgetting was not shown"), evidence=("verification.finished",), job="plan"
        ),
        (S.VERIFICATION, S.RELEASE): _machine(_("forgetting was shown"), evidence=("verification.finished",)),
        (S.RELEASE, S.REPORTING): Transition(
            event=_("every place of the old version is accounted for"),
            by=(P.RELEASE_MODEL, P.RELEASE_LEGAL),
            guard=RELEASED,
            evidence=("release.signed", "version.released", "deployment.recorded"),
            job="report",
            needs_disposition=True,
        ),
        (S.REPORTING, S.NOTIFICATION): _machine(_("the report is signed"), evidence=("report.sealed",), job="notify"),
        (S.NOTIFICATION, S.CLOSED): _machine(_("the claimant is told"), evidence=_LETTER, needs_disposition=True),
        **{
            (status, S.NOTIFICATION): _withdrawn()
            for status in (S.RECEIVED, S.PROOF, S.INFORMATION, S.MATCHING, S.DECISION, S.PLANNING)
        },
    }
)


def steps_from(status: Status) -> list[tuple[Status, Transition]]:
    """Every step that leads from a status, in the table's order."""
    return [(to, step) for (of, to), step in TRANSITIONS.items() if of == status]


def actors(*permissions: Permission) -> list[str]:
    """Who holds one of the permissions, as words: roles, the claimant, the machine."""
    found = [str(role.label) for role in Role if GRANTS[role].intersection(permissions)]
    if CLAIMANT_GRANTS.intersection(permissions):
        found.append(gettext("the claimant"))
    if Permission.RUN_MACHINE in permissions:
        found.append(gettext("the machine"))
    return found
