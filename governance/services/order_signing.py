"""Signatures under an order, and what follows: a version leaves service, or the one before comes back."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Q
from django.urls import reverse
from django.utils import timezone

from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import ledger
from governance.lifecycle import child_open
from governance.models import Case, Disposal, Job, ModelVersion, Plan, Relation, Role, Status, User, VersionOrder
from governance.models.vault import subject_readable
from governance.notifications import mail
from governance.policies import Actor, Permission, demand, demand_impartial, may
from governance.services import answers, jobs, orders, places, planning, unlearning
from governance.services.notification import letter_send

SYSTEM = Actor.system("orders")
V, K = ModelVersion.State, VersionOrder.Kind


def _signable(order: VersionOrder, actor: Actor) -> None:
    demand(actor, Permission.RELEASE_MODEL, Permission.RELEASE_LEGAL)
    if order.case:
        demand_impartial(order.case, actor)
    if not order.is_open:
        raise Conflict("This order was answered already.")
    if actor.user is None or actor.user in (order.proposed_by, order.legal_by, order.release_by):
        raise NotAllowed("You proposed or signed this order; the other signatures are other persons'.")


@transaction.atomic
def order_sign(*, order: VersionOrder, actor: Actor) -> VersionOrder:
    """One of the two signatures, by role; the second one carries the order out.

    Raises:
        NotAllowed: another role, or whoever proposed or signed. Conflict: answered, or this signature is there.
        Unfit: what the order needs holds no longer; it stays open.
    """
    _signable(order, actor)
    side = "release" if may(actor, Permission.RELEASE_MODEL) else "legal"
    mine = VersionOrder.objects.filter(pk=order.pk, done_at=None, refused_at=None, **{f"{side}_by": None})
    if not mine.update(**{f"{side}_by": actor.user, f"{side}_at": timezone.now()}):
        raise Conflict("This signature is there already.")
    order.refresh_from_db()
    orders.record(order, "order.signed", actor, side=side)
    if order.legal_at and order.release_at:
        _withdraw(order) if order.kind == K.WITHDRAW else _put_back(order)
    return order


@transaction.atomic
def order_refuse(*, order: VersionOrder, actor: Actor, reason: str = "") -> VersionOrder:
    """One of those who would sign says no, or whoever proposed takes it back; the order is closed.

    Raises:
        NotAllowed, Conflict: see `order_sign`. Unfit: refused without a reason.
    """
    own = answers.taken_back(
        order.proposed_by_id, actor, Permission.RELEASE_MODEL, Permission.RELEASE_LEGAL, reason=reason
    )
    if not own:
        _signable(order, actor)
    said, mine = answers.why(own, reason), VersionOrder.objects.filter(pk=order.pk, done_at=None, refused_at=None)
    if not mine.update(refused_by=actor.user, refused_at=timezone.now(), refused_reason=said.get("why", "")):
        raise Conflict("This order was answered already.")
    order.refresh_from_db()
    orders.record(order, f"order.{'taken_back' if own else 'refused'}", actor, **said)
    return order


def _done(order: VersionOrder, **columns: object) -> None:
    VersionOrder.objects.filter(pk=order.pk).update(done_at=timezone.now(), **columns)
    order.refresh_from_db()


def _withdraw(order: VersionOrder) -> None:
    """Out of service: places stop or wait, weights get their day, and what waited for the version ends clearly."""
    version = order.version
    out = ModelVersion.objects.filter(pk=version.pk, state__in=[V.RELEASED, V.RETIRED]).update(state=V.WITHDRAWN)
    if not out:
        raise Unfit(f"{version} is {version.get_state_display().lower()} by now; refuse this order.")
    version.state = V.WITHDRAWN
    count = places.withdraw_all(version)
    due = timezone.localdate() + timedelta(days=settings.DISPOSAL_DAYS)
    for what, artifact in ((Disposal.What.WEIGHTS, version.artifact), (Disposal.What.LINEAGE, version.lineage)):
        if artifact:
            Disposal.objects.get_or_create(
                version=version, what=what, artifact=artifact, defaults={"case": order.case, "due_on": due}
            )
    depending = _depending(version)
    facts = {"version": version.artifact, "model": str(version), "places": count, "dispose_by": due.isoformat()}
    ledger.append(action="version.withdrawn", actor=SYSTEM, body={**facts, "cases": len(depending)})
    for case in depending:
        known = case if subject_readable(case.claimant) else None
        ledger.append(action="version.withdrawn", actor=SYSTEM, case=known, body={**facts, "number": case.number})
        _stop(case, version)
    _done(order)
    transaction.on_commit(partial(_tell, f"{version} was withdrawn from service", depending))


def _depending(version: ModelVersion) -> list[Case]:
    """Open cases that plan on the version, and closed ones whose release it was."""
    planned = Q(plans__base=version) | Q(plans__candidate=version)
    rows = Case.objects.filter(planned | Q(release__version=version)).select_related("claimant", "officer")
    return [case for case in rows.distinct().order_by("id") if case.is_open or hasattr(case, "release")]


def _stop(case: Case, version: ModelVersion) -> None:
    """A case whose plan has not been judged yet ends here; one that is judged goes on: its result may replace."""
    waiting = case.plans.filter(base=version, state__in=[Plan.State.PROPOSED, Plan.State.CONFIRMED])
    if case.status not in (Status.PLANNING, Status.UNLEARNING) or not waiting.exists():
        return
    jobs.jobs_stop(Job.objects.filter(plan__in=waiting), SYSTEM)
    for plan in waiting.filter(state=Plan.State.CONFIRMED):
        unlearning.plan_spend(plan)
    case.refresh_from_db()
    planning.case_end(case, f"{version} was withdrawn from service, so nothing is unlearned from it.")


def _put_back(order: VersionOrder) -> None:
    """The weights before come back as a new version; every case whose release is undone is opened again."""
    if order.case is None or order.target is None:
        raise Unfit("A rollback names its case and the version that comes back.")
    if problems := orders.rollback_problems(order.case):
        raise Unfit([*problems, "Refuse this order."])
    before, after = order.target, order.version
    cases = list(orders.undone_by(after))
    newest = after.model.versions.aggregate(newest=Max("revision"))["newest"]
    made = ModelVersion.objects.create(
        model=after.model,
        revision=newest + 1,
        artifact=before.artifact,
        parent=after,
        method="rollback",
        excluded=before.excluded,
        lineage=before.lineage,
        state=V.RELEASED,
        released_at=timezone.now(),
    )
    made.datasets.set(before.datasets.all())
    ModelVersion.objects.filter(pk=after.pk).update(state=V.RETIRED)
    _done(order, result=made)
    places.replace_all(after, made)
    places.kept(before, made)
    planning.plans_rebase(after, made)
    for case in cases:
        body = {"before": after.artifact, "after": made.artifact, "order": order.pk}
        ledger.append(action="version.put_back", actor=SYSTEM, case=case, body=body)
        child = child_open(parent=case, relation=Relation.ROLLBACK, actor=SYSTEM, body={"order": order.pk})
        letter_send(case=child, template="put_back")
    transaction.on_commit(partial(_tell, f"{before} was put back into service as {made}", cases))


def _tell(title: str, cases: list[Case]) -> None:
    """A mail to the officers of the cases, else to the legal desk, that names numbers only."""
    people = [case.officer for case in cases if case.officer] or list(
        User.objects.filter(role=Role.LEGAL, is_active=True)
    )
    numbers = ", ".join(case.number for case in cases) or "none"
    text = f"{title}.\n\nCases: {numbers}\n{settings.BASE_URL}{reverse('versions')}\n"
    mail.send_each(sorted({person.email for person in people}), title, text)
