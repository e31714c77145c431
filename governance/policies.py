"""Who may see or do what: pure functions over an actor and what is acted upon. Every service and view asks here."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from governance.errors import NotAllowed
from governance.kinds import rule
from governance.models import (
    AgentCase,
    Case,
    Claimant,
    Disposition,
    Interest,
    Relation,
    Role,
    Status,
    User,
)
from governance.models.contest import took_part
from governance.tokens import email_mark

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser


class Permission(enum.Enum):
    """One thing that somebody may do."""

    SEE_DESK = "see the desk"
    SEE_TODAY = "see what the legal desk has to do today"
    SEE_CASES = "see cases"
    REVEAL_PERSON = "read a claimant's name and address"
    ENTER_CASE = "enter a request for somebody"
    RECORD_PROOF = "record proof"
    SHOW_PROOF = "show a proof by oneself"
    REVIEW = "review a request"
    PROPOSE = "propose a decision"
    APPROVE = "approve a decision"
    WITHDRAW = "withdraw a case for the claimant"
    EXTEND = "extend or pause the clock"
    SEE_MODELS = "see models and datasets"
    REGISTER_MODELS = "register models, datasets and deployments"
    TAKE_WEIGHTS = "take the weights of a version"
    CHOOSE_PLAN = "choose a plan"
    CONFIRM_PLAN = "confirm a plan"
    SEE_JOBS = "see jobs"
    CANCEL_JOB = "cancel a job"
    RELEASE_MODEL = "release a model"
    RELEASE_LEGAL = "release a model for legal"
    UPDATE_DEPLOYMENT = "record the state of a deployment"
    SEE_DASHBOARD = "see the executive page"
    SEE_LEDGER = "see the ledger"
    SEE_REPORTS = "see reports"
    MANAGE_USERS = "manage accounts"
    SEE_POLICIES = "see verification policies"
    PROPOSE_POLICY = "propose a verification policy"
    APPROVE_POLICY = "approve a verification policy"
    CONFIRM_EMAIL = "confirm an e-mail address"
    ANSWER = "answer a question"
    ADD_WORKS = "add works to a request"
    DELETE_TEXTS = "delete the texts of a closed case"
    END_SHARING = "end that fingerprints are given to others"
    RUN_MACHINE = "move a case as the machine"
    REOPEN = "open a case anew after a regression"
    FOLLOW_UP = "appeal, complain or take works back after the end"
    ASSIGN = "assign cases"
    NOTES = "read and write internal notes"
    DECLARE = "declare a conflict of interest"
    HOLD = "set or lift a legal hold"
    SEE_DUTIES = "see the duties around the weights"
    EXPORT_LISTS = "export filter lists and the records that may be trained on"
    PROPOSE_ORDER = "propose to withdraw a version or to put one back"
    TELL_RECIPIENTS = "tell recipients of an erasure"
    ERASE_ASK = "ask to destroy a person's data"
    ERASE_APPROVE = "approve that a person's data is destroyed"
    EXPORT_CASE = "export a whole case"
    AUDIT = "draw samples, take exports and read who is here and how the house is set up, for an audit"
    COPY_REPORT = "have a report copied into another language"
    REPLAY_CASE = "take what a replay of a case needs"
    MAKE_PATCH = "make and fetch the patch of a release"
    ASK_LIFT = "ask that a record be let back into training"
    LIFT_QUARANTINE = "let a record back into training"
    WRITE_LETTER = "write to a claimant"
    SEE_LETTERS = "read the letters' texts"
    REVIEW_LETTERS = "mark a letter's text as reviewed"
    SEE_OUTBOX = "see the outbox"
    SEND_AGAIN = "send a message again"
    MANAGE_WEBHOOKS = "manage webhooks"
    MANAGE_AGENTS = "manage agents, mandates and their keys"
    PROPOSE_ABUSE = "propose a finding of abuse"
    APPROVE_ABUSE = "approve a finding of abuse"
    CHECK_RESERVATION = "read the reservations of an address"


P = Permission
_STAFF = {P.SEE_DESK}
_READ_CASES = {P.SEE_CASES, P.SEE_MODELS, P.SEE_JOBS, P.SEE_REPORTS, P.SEE_LEDGER, P.SEE_POLICIES}
_POLICIES = {P.PROPOSE_POLICY, P.APPROVE_POLICY}
_DESK = {P.SEE_TODAY, P.ASSIGN, P.NOTES, P.DECLARE, P.HOLD}

#: Least privilege: what is not listed is refused. The duties around the weights follow below.
_CASEWORK: dict[Role, frozenset[Permission]] = {
    Role.LEGAL: frozenset(
        _STAFF
        | _READ_CASES
        | _POLICIES
        | _DESK
        | {
            P.REVEAL_PERSON,
            P.ENTER_CASE,
            P.FOLLOW_UP,
            P.RECORD_PROOF,
            P.REVIEW,
            P.PROPOSE,
            P.WITHDRAW,
            P.EXTEND,
            P.RELEASE_LEGAL,
        }
    ),
    Role.APPROVER: frozenset(
        _STAFF | _READ_CASES | _DESK | {P.REVEAL_PERSON, P.APPROVE, P.CONFIRM_PLAN, P.RELEASE_LEGAL, P.APPROVE_POLICY}
    ),
    Role.ENGINEER: frozenset(
        _STAFF | _READ_CASES | _POLICIES | {P.REGISTER_MODELS, P.CHOOSE_PLAN, P.CONFIRM_PLAN, P.CANCEL_JOB, P.DECLARE}
    ),
    Role.RELEASE: frozenset(
        _STAFF | {P.SEE_CASES, P.SEE_MODELS, P.SEE_JOBS, P.SEE_REPORTS, P.RELEASE_MODEL, P.UPDATE_DEPLOYMENT, P.DECLARE}
    ),
    Role.EXECUTIVE: frozenset(_STAFF | {P.SEE_DASHBOARD, P.SEE_REPORTS, P.SEE_MODELS}),
    Role.AUDITOR: frozenset(_STAFF | _READ_CASES | {P.SEE_DASHBOARD}),
    Role.ADMINISTRATOR: frozenset(_STAFF | {P.MANAGE_USERS}),
    Role.NONE: frozenset(),
}

_DUTIES: dict[Role, frozenset[Permission]] = {
    Role.LEGAL: frozenset({P.SEE_DUTIES, P.EXPORT_LISTS, P.PROPOSE_ORDER, P.TELL_RECIPIENTS})
    | {P.ERASE_ASK, P.EXPORT_CASE, P.COPY_REPORT, P.ASK_LIFT},
    Role.APPROVER: frozenset({P.SEE_DUTIES, P.LIFT_QUARANTINE, P.ERASE_APPROVE, P.EXPORT_CASE}),
    Role.ENGINEER: frozenset({P.SEE_DUTIES, P.EXPORT_LISTS, P.PROPOSE_ORDER, P.MAKE_PATCH, P.TAKE_WEIGHTS}),
    Role.RELEASE: frozenset({P.SEE_DUTIES, P.EXPORT_LISTS, P.PROPOSE_ORDER, P.TELL_RECIPIENTS})
    | {P.MAKE_PATCH, P.TAKE_WEIGHTS},
    Role.EXECUTIVE: frozenset({P.SEE_DUTIES}),
    Role.AUDITOR: frozenset({P.SEE_DUTIES, P.REPLAY_CASE, P.AUDIT, P.COPY_REPORT}),
}
_READ_LETTERS = frozenset({P.SEE_LETTERS, P.SEE_OUTBOX})
#: Letters, the outbox, webhooks.
_MESSAGES: dict[Role, frozenset[Permission]] = {
    Role.LEGAL: _READ_LETTERS | {P.REVIEW_LETTERS, P.SEND_AGAIN, P.WRITE_LETTER},
    Role.APPROVER: _READ_LETTERS | {P.REVIEW_LETTERS, P.SEND_AGAIN},
    Role.AUDITOR: _READ_LETTERS,
    Role.ADMINISTRATOR: _READ_LETTERS | {P.SEND_AGAIN, P.MANAGE_WEBHOOKS},
}
#: What comes from the outside: reservations, uploads, abuse, keys of agents.
_OUTSIDE: dict[Role, frozenset[Permission]] = {
    Role.LEGAL: frozenset({P.CHECK_RESERVATION, P.PROPOSE_ABUSE, P.MANAGE_AGENTS}),
    Role.APPROVER: frozenset({P.APPROVE_ABUSE}),
    Role.ENGINEER: frozenset({P.CHECK_RESERVATION}),
}
_TABLES = (_CASEWORK, _DUTIES, _MESSAGES, _OUTSIDE)
GRANTS: dict[Role, frozenset[Permission]] = {
    role: frozenset[Permission]().union(*(table.get(role, frozenset()) for table in _TABLES)) for role in Role
}

SYSTEM_GRANTS = frozenset({P.RUN_MACHINE, P.REOPEN})
CLAIMANT_GRANTS = frozenset(
    {
        P.CONFIRM_EMAIL,
        P.ANSWER,
        P.ADD_WORKS,
        P.DELETE_TEXTS,
        P.END_SHARING,
        P.SHOW_PROOF,
        P.WITHDRAW,
        P.FOLLOW_UP,
    }
)


@dataclass(frozen=True)
class Actor:
    """Who acts: a member of staff, the claimant through a private link, or the machine under a name."""

    label: str
    user: User | None = None

    @classmethod
    def of(cls, user: User | AnonymousUser) -> Actor:
        """The actor for a signed-in member of staff."""
        if not isinstance(user, User):
            raise NotAllowed("Sign in first.")
        return cls(label=f"role:{user.role}", user=user)

    @classmethod
    def system(cls, name: str) -> Actor:
        """The machine, by the name of the service that acts."""
        return cls(label=f"system:{name}")


CLAIMANT = Actor(label="claimant")


def grants(actor: Actor) -> frozenset[Permission]:
    """Everything that this actor may do somewhere."""
    if actor.user is not None:
        return GRANTS.get(Role(actor.user.role), frozenset()) if actor.user.is_active else frozenset()
    if actor is CLAIMANT:
        return CLAIMANT_GRANTS
    return SYSTEM_GRANTS if actor.label.startswith("system:") else frozenset()


def may(actor: Actor, permission: Permission) -> bool:
    """Whether the actor holds the permission."""
    return permission in grants(actor)


def demand(actor: Actor, *permissions: Permission) -> None:
    """Refuse unless the actor holds at least one of the permissions.

    Raises:
        NotAllowed: naming what was asked for.
    """
    if not any(may(actor, permission) for permission in permissions):
        raise NotAllowed(f"Your role may not {permissions[0].value}.")


def proof_unlocks_weights(case: Case) -> bool:
    """Whether a recorded proof allows a change of weights for this kind of case."""
    return case.proofs.counting().filter(level__in=rule(case.kind).weights_levels).exists()


#: Where a case comes only when something was found.
TELLING = frozenset({Status.PLANNING, Status.UNLEARNING, Status.VERIFICATION, Status.RELEASE})


def findings_told(case: Case) -> bool:
    """Whether whoever holds the private link may learn what was found. Whether we hold data about a person is personal
    data itself: it is told once identity is proven at the level of an erasure, whatever else has happened."""
    return not rule(case.kind).personal or proof_unlocks_weights(case)


def disposition_told(case: Case) -> str:
    """How the case ended, as far as its end tells nothing that `findings_told` withholds; else empty."""
    withheld = case.disposition != Disposition.WITHDRAWN and not findings_told(case)
    return "" if withheld else case.disposition


#: Lowest proof level that unlocks the quarantine of matched records and their place on a filter list (`law.md`).
CONTAINMENT_LEVEL = 2


def proof_unlocks_containment(case: Case) -> bool:
    """Whether a recorded proof allows what reaches beyond future training, and can be taken back."""
    return case.proofs.counting().filter(level__gte=CONTAINMENT_LEVEL).exists()


def disposition_allows(case: Case, disposition: Disposition) -> bool:
    """No case counts as fulfilled while an old version is known to answer somewhere."""
    if disposition not in {Disposition.FULFILLED, Disposition.PARTLY}:
        return True
    return hasattr(case, "release")


def partial(case: Case, actor: Actor) -> str:
    """Why this person decides nothing in the case: they declared a conflict of interest, or they are who asks."""
    if actor.user is None:
        return ""
    if Interest.objects.filter(case=case, person=actor.user).exists():
        return "You declared a conflict of interest in this case; somebody else decides."
    if Claimant.objects.filter(pk=case.claimant_id, email_mark=email_mark(actor.user.email)).exists():
        return "You are the claimant of this case; somebody else decides."
    if case.relation in CONTESTED and Case.objects.filter(took_part(actor.user.pk), pk=case.pk).exists():
        return "You took part in the decision that is contested here; somebody else decides."
    return ""


#: What contests a decision: nobody who took part in it decides again.
CONTESTED = frozenset({Relation.APPEAL, Relation.COMPLAINT})


def demand_impartial(case: Case, actor: Actor) -> None:
    """Refuse whoever is party to the case.

    Raises:
        NotAllowed: saying why.
    """
    if why := partial(case, actor):
        raise NotAllowed(why)


def may_read(case: Case, actor: Actor) -> bool:
    """Facts about a private person are read only by those who may know who it is."""
    return not rule(case.kind).personal or may(actor, Permission.REVEAL_PERSON)


def mandate_revoked(case: Case) -> bool:
    """Whether an agent filed for this person by a mandate that was revoked since."""
    return AgentCase.objects.filter(case__claimant=case.claimant_id, mandate__revoked_at__isnull=False).exists()


def demand_mandate(case: Case, actor: Actor) -> None:
    """Refuse what an agent would undo, or keep for itself, after its mandate was revoked.

    Raises:
        NotAllowed: it was.
    """
    if actor is CLAIMANT and mandate_revoked(case):
        raise NotAllowed("The mandate by which this was filed was revoked; the person for whom it was writes to us.")


def entered(case: Case, actor: Actor) -> bool:
    """Whether the actor entered the request for somebody, or works of it."""
    if actor.user is None:
        return False
    return case.entered_by_id == actor.user.pk or case.items.filter(entered_by=actor.user).exists()


def demand_other_than_filer(case: Case, actor: Actor) -> None:
    """Refuse a second signature of whoever entered the request, or works of it.

    Raises:
        NotAllowed: the actor entered it.
    """
    if entered(case, actor):
        raise NotAllowed("You entered this request for somebody; the second signature is another person's.")
