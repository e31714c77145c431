"""Whether every second signature in the tables is also in the ledger, by the person whom the table names.

The database refuses to write a signature that breaks the rules (`models.triggers`); its owner can take the triggers
off. A signature written then has no leaf, and a leaf cannot be added for somebody else without the house's key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connections
from django.db.models import Count, Q

from governance.evidence import leaf, merkle
from governance.models import (
    AbuseFinding,
    Decision,
    Erasure,
    Hold,
    HouseProfile,
    LedgerOpening,
    PatchPublication,
    PatchWithdrawal,
    Plan,
    Quarantine,
    Release,
    Role,
    RoleGrant,
    User,
    VerificationPolicy,
    VersionOrder,
    WorksReturn,
    triggers,
)
from governance.secrets import read_secret

#: (action, case or 0, what it is about, person)
Signed = tuple[str, int, str, int]
#: An order is about a version, what a search held about a record; their entries stand beside a case only while that
#: case's person can be read.
_OF_NO_CASE = frozenset({"order.signed", "records.release_asked", "records.released"})
#: Action -> the members of its body that say what was signed.
_ACTIONS: dict[str, tuple[str, ...]] = {
    "decision.proposed": (),
    "decision.approved": (),
    "plan.signed": ("attempt",),
    "plan.confirmed": ("attempt",),
    "release.signed": ("side",),
    "policy.proposed": ("digest",),
    "policy.approved": ("digest",),
    "people.role_proposed": ("grant",),
    "people.role_granted": ("grant",),
    "abuse.proposed": ("finding",),
    "abuse.found": ("finding",),
    "return.proposed": (),
    "return.approved": (),
    "hold.lift_asked": ("hold",),
    "hold.lifted": ("hold",),
    "records.release_asked": ("record", "quarantine", "why"),
    "records.released": ("record", "quarantine", "why"),
    "organisation.proposed": ("version",),
    "organisation.approved": ("version",),
    "person.erased": (),
    "order.signed": ("order", "side"),
    "patch.publication_proposed": ("publication",),
    "patch.published": ("publication",),
    "patch.withdrawal_proposed": ("publication",),
    "patch.withdrawn": ("publication",),
}


@dataclass(frozen=True)
class Audit:
    """How many signatures were looked at, and each that the ledger does not know, in one sentence each."""

    checked: int
    findings: tuple[str, ...]


def audit() -> Audit:
    """Compare every signature of the tables with the ledger, the triggers with those that belong there, and what cases
    hold with what may be trained on.
    """
    known = set(_ledger())
    claimed = list(_claimed())
    missing = [f"{words}: the ledger holds no such signature." for words, signed in claimed if signed not in known]
    return Audit(len(claimed), (*_guards(), *missing, *_roles(), *_let_out()))


def _ledger() -> Iterator[Signed]:
    """What the ledger says was signed, by whom. An opening that its leaf does not bear out counts for nothing."""
    key = read_secret("ledger.commitments")
    people: dict[int, str] = {}
    rows = LedgerOpening.objects.filter(entry__action__in=_ACTIONS, actor__isnull=False).select_related("entry")
    for row in rows.iterator():
        data, who = bytes(row.entry.leaf), row.actor_id or 0
        if who not in people:
            people[who] = leaf.actor_commitment(key, f"user:{who}")
        written = leaf.parse_leaf(json.loads(data))
        genuine = written.actor == people[who] and leaf.open_leaf(written, row.body, bytes(row.salt))
        if genuine and written.action == row.entry.action and merkle.leaf_hash(data) == bytes(row.entry.hash):
            about = ":".join(str(row.body.get(name, "")) for name in _ACTIONS[written.action])
            yield written.action, 0 if written.action in _OF_NO_CASE else row.case_id or 0, about, who


def _claimed() -> Iterator[tuple[str, Signed]]:
    """Every signature that the tables hold, in words."""
    decisions = Decision.objects.exclude(approved_by=None).values_list("match__case_id", "match__case__number",
                                                                       "proposed_by_id", "approved_by_id")  # fmt: skip
    for case, number, proposer, approver in decisions.distinct():
        yield f"Decision of case {number}, proposal", ("decision.proposed", case, "", proposer)
        yield f"Decision of case {number}, approval", ("decision.approved", case, "", approver)
    for plan in Plan.objects.exclude(confirmed_by=None).select_related("case"):
        words, about = f"Plan {plan.attempt} of case {plan.case.number}", str(plan.attempt)
        if plan.chosen_by_id:  # a plan from before two people signed has one signature
            yield f"{words}, choice", ("plan.signed", plan.case_id, about, plan.chosen_by_id)
        yield f"{words}, confirmation", ("plan.confirmed", plan.case_id, about, plan.confirmed_by_id or 0)
    for release in Release.objects.filter(Q(released_by__isnull=False) | Q(legal_by__isnull=False)).select_related(
        "case"
    ):
        for side, who in (("released", release.released_by_id), ("legal", release.legal_by_id)):
            if who:
                words = f"Release of case {release.case.number}, {side}"
                yield words, ("release.signed", release.case_id, side, who)
    for policy in VerificationPolicy.objects.exclude(approved_by=None):
        words = f"Policy {policy.version}"
        yield f"{words}, proposal", ("policy.proposed", 0, policy.digest, policy.proposed_by_id)
        yield f"{words}, approval", ("policy.approved", 0, policy.digest, policy.approved_by_id or 0)
    yield from _abuse()
    yield from _returns()
    yield from _holds()
    yield from _held()
    yield from _house()
    yield from _orders()
    yield from _publications()
    for grant in RoleGrant.objects.exclude(approved_by=None):
        words = f"Role {grant.role} of account {grant.person_id}"
        yield f"{words}, proposal", ("people.role_proposed", 0, str(grant.pk), grant.proposed_by_id)
        yield f"{words}, approval", ("people.role_granted", 0, str(grant.pk), grant.approved_by_id or 0)


def _abuse() -> Iterator[tuple[str, Signed]]:
    for row in AbuseFinding.objects.exclude(approved_by=None).select_related("case"):
        words, about = f"Finding of abuse in case {row.case.number}", str(row.pk)
        yield f"{words}, proposal", ("abuse.proposed", row.case_id, about, row.proposed_by_id)
        yield f"{words}, approval", ("abuse.found", row.case_id, about, row.approved_by_id or 0)


def _returns() -> Iterator[tuple[str, Signed]]:
    for row in WorksReturn.objects.exclude(approved_by=None).select_related("case"):
        words = f"Works given back in case {row.case.number}"
        yield f"{words}, proposal", ("return.proposed", row.case_id, "", row.proposed_by_id)
        yield f"{words}, approval", ("return.approved", row.case_id, "", row.approved_by_id or 0)


def _holds() -> Iterator[tuple[str, Signed]]:
    for row in Hold.objects.exclude(lifted_by=None).select_related("case"):
        words, about = f"Legal hold of case {row.case.number}", str(row.pk)
        yield f"{words}, asking that it end", ("hold.lift_asked", row.case_id, about, row.lift_asked_by_id or 0)
        yield f"{words}, lifting", ("hold.lifted", row.case_id, about, row.lifted_by_id or 0)


def _held() -> Iterator[tuple[str, Signed]]:
    """Who asked that what a search found be let back, who let it; of what was given back, who approved the giving."""
    lifted = Q(ended_by__isnull=False, cause=Quarantine.Cause.RETURNED) & ~Q(ended_why=Quarantine.GIVEN_BACK)
    rows = Quarantine.objects.filter(Q(lift_asked_by__isnull=False) | lifted).select_related("case", "record")
    for row in rows.iterator(chunk_size=2000):
        words = f"Record {row.record.record_id} that a search held for case {row.case.number}"
        # One person let it back before two had to; that entry names the record alone.
        about = f"{row.record.record_id}:{row.pk if row.lift_asked_by_id else ''}"
        if row.lift_asked_by_id:
            yield f"{words}, asking", ("records.release_asked", 0, f"{about}:{row.lift_why}", row.lift_asked_by_id)
        if row.ended_by_id and row.cause == Quarantine.Cause.RETURNED and row.ended_why != Quarantine.GIVEN_BACK:
            yield f"{words}, letting back", ("records.released", 0, f"{about}:{row.ended_why}", row.ended_by_id)
    returns = {
        (parent, who): case
        for parent, who, case in WorksReturn.objects.exclude(approved_by=None).values_list(
            "case__parent_id", "approved_by_id", "case_id"
        )
    }
    back = Quarantine.objects.exclude(ended_by=None).exclude(lifted).order_by()
    for case, number, who in back.values_list("case_id", "case__number", "ended_by_id").distinct():
        yield f"What case {number} held, given back", ("return.approved", returns.get((case, who), 0), "", who or 0)


def _house() -> Iterator[tuple[str, Signed]]:
    """What the house says of itself, and who approved that a person's data be destroyed: an entry of each case."""
    for row in HouseProfile.objects.exclude(approved_by=None):
        words, about = f"Version {row.pk} of the organisation", str(row.pk)
        yield f"{words}, proposal", ("organisation.proposed", 0, about, row.proposed_by_id)
        yield f"{words}, approval", ("organisation.approved", 0, about, row.approved_by_id or 0)
    erased = Erasure.objects.exclude(approved_by=None)
    for case, number, who in erased.values_list("claimant__cases", "claimant__cases__number", "approved_by_id"):
        yield f"End of the data of case {number}, approval", ("person.erased", case or 0, "", who or 0)


def _orders() -> Iterator[tuple[str, Signed]]:
    for row in VersionOrder.objects.filter(Q(legal_by__isnull=False) | Q(release_by__isnull=False)):
        for side, who in (("legal", row.legal_by_id), ("release", row.release_by_id)):
            if who:
                yield f"Order {row.pk}, {side}", ("order.signed", 0, f"{row.pk}:{side}", who)


def _publications() -> Iterator[tuple[str, Signed]]:
    for row in PatchPublication.objects.exclude(approved_by=None):
        words, about = f"Publication {row.public_id}", str(row.public_id)
        yield f"{words}, proposal", ("patch.publication_proposed", 0, about, row.proposed_by_id)
        yield f"{words}, approval", ("patch.published", 0, about, row.approved_by_id or 0)
    for gone in PatchWithdrawal.objects.exclude(approved_by=None).select_related("publication"):
        words, about = f"Withdrawal of publication {gone.publication.public_id}", str(gone.publication.public_id)
        yield f"{words}, proposal", ("patch.withdrawal_proposed", 0, about, gone.proposed_by_id)
        yield f"{words}, approval", ("patch.withdrawn", 0, about, gone.approved_by_id or 0)


def _roles() -> Iterator[str]:
    """Accounts whose role was not given by their last grant; the first two are administrators without one."""
    last: dict[int, str] = dict(
        RoleGrant.objects.exclude(applied_at=None).order_by("applied_at", "pk").values_list("person_id", "role")
    )
    founders = set(User.objects.order_by("pk").values_list("pk", flat=True)[:2])
    for user in User.objects.exclude(role=Role.NONE).order_by("pk"):
        if user.pk in founders and user.role == Role.ADMINISTRATOR:
            continue
        if last.get(user.pk) != user.role:
            yield f"Account {user.pk} has the role {user.role}, which no two administrators gave it."


def _let_out() -> Iterator[str]:
    """Cases that hold records which the lists of what may be trained on give out."""
    rows = Quarantine.objects.filter(ended_at=None, record__quarantined_at=None)
    for number, records in rows.order_by("case").values_list("case__number").annotate(n=Count("pk")):
        yield f"Case {number} holds {records} of the records that may be trained on."


def _guards() -> Iterator[str]:
    connection = connections["default"]
    there = {name for name, _table in triggers.found(connection, enabled=True)}
    for name in sorted(triggers.expected(connection.vendor) - there):
        yield f"The database's trigger {name} is gone or switched off."
