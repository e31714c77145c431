"""Release: two signatures put the new version in service; each place of the old one is followed until it is gone."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from governance import dispatch
from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import ledger, sentences, vocabulary
from governance.lifecycle import advance
from governance.models import Case, Deployment, Disposal, Disposition, ModelVersion, Plan, Release, Status
from governance.policies import Actor, Permission, demand, demand_impartial, demand_other_than_filer, may
from governance.services import answers, dossier, feed_pages, learned, lineages, places, planning, recipients

log = logging.getLogger(__name__)
SYSTEM = Actor.system("release")
#: The two sides that sign, by the columns' names.
SIDES = {"released": Permission.RELEASE_MODEL, "legal": Permission.RELEASE_LEGAL}


@transaction.atomic
def release_sign(*, case: Case, actor: Actor) -> Release:
    """One of the two signatures, by role; the second one releases the version and retires the old one.

    Raises:
        NotAllowed: another role, or the person who signed already, or who entered the request or works of it.
        Conflict: the case is not at release, or this signature is there.
    """
    demand(actor, Permission.RELEASE_MODEL, Permission.RELEASE_LEGAL)
    demand_impartial(case, actor)
    demand_other_than_filer(case, actor)
    if case.status != Status.RELEASE:
        raise Conflict(f"Case {case.number} is not waiting for a release.")
    plan = case.plans.filter(state__in=[Plan.State.PASSED, Plan.State.INCONCLUSIVE]).latest("attempt")
    candidate = ModelVersion.objects.get(plan=plan)
    release, _ = Release.objects.get_or_create(case=case, defaults={"version": candidate})
    side = "released" if may(actor, Permission.RELEASE_MODEL) else "legal"
    if actor.user in (release.released_by, release.legal_by):
        raise NotAllowed("You signed this release already; the other signature is another person's.")
    columns = {f"{side}_by": actor.user, f"{side}_at": timezone.now()}
    if not Release.objects.filter(pk=release.pk, **{f"{side}_by": None}).update(**columns):
        raise Conflict("This signature is there already.")
    release.refresh_from_db()
    case.release = release  # what the caller holds is as it was before the signature
    ledger.append(
        action="release.signed", actor=actor, case=case, body={"side": side, "version": release.version.artifact}
    )
    if release.released_at and release.legal_at:
        _replace(case, plan, release)
    return release


@transaction.atomic
def release_return(*, case: Case, actor: Actor, reason: str = "") -> None:
    """The first signature is void: whoever gave it takes it back, or the other side refuses. Both may sign anew.

    Raises:
        NotAllowed: neither of them. Unfit: refused without a reason. Conflict: not one signature stands alone.
    """
    demand_impartial(case, actor)
    release = Release.objects.filter(case=case).first()
    signed = [side for side in SIDES if release and getattr(release, f"{side}_at")]
    if release is None or case.status != Status.RELEASE or len(signed) != 1:
        raise Conflict(f"No release of case {case.number} waits for its second signature.")
    [side], [other] = signed, [one for one in SIDES if one not in signed]
    own = answers.taken_back(getattr(release, f"{side}_by_id"), actor, SIDES[other], reason=reason)
    signer = getattr(release, f"{side}_by")
    alone = Release.objects.filter(pk=release.pk, **{f"{side}_by": signer, f"{other}_by": None})
    if not alone.update(**{f"{side}_by": None, f"{side}_at": None}):
        raise Conflict("Somebody else answered this in the meantime.")
    body = {"side": side, "version": release.version.artifact, **answers.why(own, reason)}
    ledger.append(action=f"release.{'taken_back' if own else 'refused'}", actor=actor, case=case, body=body)


def _replace(case: Case, plan: Plan, release: Release) -> None:
    """The catalogue changes hands: new version released, old one retired, its places pending, its bytes dated."""
    now = timezone.now()
    candidate = ModelVersion.objects.filter(pk=release.version_id, state=ModelVersion.State.CANDIDATE)
    if not candidate.update(state=ModelVersion.State.RELEASED, released_at=now):
        # Another case whose records the same pass deleted has put the version in service already.
        ledger.append(action="release.joined", actor=SYSTEM, case=case, body={"after": release.version.artifact})
        return
    base = ModelVersion.objects.filter(pk=plan.base_id).exclude(state=ModelVersion.State.WITHDRAWN)
    base.update(state=ModelVersion.State.RETIRED)
    due = timezone.localdate() + timedelta(days=settings.DISPOSAL_DAYS)
    for what, version, artifact in _to_dispose(case, plan, release.version):
        Disposal.objects.get_or_create(
            version=version, what=what, artifact=artifact, defaults={"case": case, "due_on": due}
        )
        # Weights that came back by a rollback had a day already; it begins anew.
        Disposal.objects.filter(artifact=artifact, deleted_at=None, due_on__lt=due).update(due_on=due)
    ledger.append(
        action="version.released",
        actor=SYSTEM,
        case=case,
        body={"before": plan.base.artifact, "after": release.version.artifact, "dispose_by": due.isoformat()},
    )
    planning.plans_rebase(plan.base, release.version)
    places.replace_all(plan.base, release.version)


def _to_dispose(case: Case, plan: Plan, released: ModelVersion) -> Iterator[tuple[str, ModelVersion, str]]:
    """The old version, every rejected candidate that still descends from it, their lineages, and each checkpoint of
    the old lineage that the deleted records may have shaped."""
    rejected = [p.candidate for p in case.plans.exclude(pk=plan.pk).select_related("candidate") if p.candidate]
    for version in (plan.base, *rejected):
        yield Disposal.What.WEIGHTS, version, version.artifact
        if version.lineage:
            yield Disposal.What.LINEAGE, version, version.lineage
    if plan.base.lineage and released.lineage:
        old, new = lineages.read(plan.base.lineage), lineages.read(released.lineage)
        for checkpoint in lineages.superseded(old, new):
            yield Disposal.What.CHECKPOINTS, plan.base, checkpoint


@transaction.atomic
def deployment_record(*, deployment: Deployment, state: Deployment.State, case: Case, actor: Actor) -> None:
    """A person reports what is known of a place that has no pointer.

    Raises:
        Unfit: "serving" again, which a release cannot be told, or a place of another version.
    """
    demand(actor, Permission.UPDATE_DEPLOYMENT)
    release = getattr(case, "release", None)
    if release is None or not _is_followed(case, deployment):
        raise Unfit(f"{deployment.place} does not serve the version that this case replaces.")
    if state not in (Deployment.State.PENDING, Deployment.State.REPLACED, Deployment.State.UNREACHABLE):
        raise Unfit(f"{deployment.place}: choose replaced, pending or unreachable.")
    after = release.version if state == Deployment.State.REPLACED else None
    places.move(deployment, state, by=actor.user, replaced_by=after)
    ledger.append(
        action="deployment.recorded", actor=actor, case=case, body={"place": deployment.place, "state": state.value}
    )


def _is_followed(case: Case, deployment: Deployment) -> bool:
    """Whether the place is of the version that the case replaces, or of an older one that learned its records."""
    if deployment.version_id == case.release.version.parent_id:
        return True
    plans = case.plans.filter(Q(base=deployment.version) | Q(candidate=case.release.version))
    return any(learned.followed(plan).filter(pk=deployment.pk).exists() for plan in plans)


@transaction.atomic
def release_finish(*, case: Case, actor: Actor) -> Case:
    """Both signed and every place is accounted for: the report may be written, and says only what these facts allow.

    Raises:
        Unfit: a signature is missing, a place still serves the old version or waits, or a recipient was not told.
    """
    plan = case.plans.filter(candidate=case.release.version).get() if hasattr(case, "release") else None
    if plan is None:
        raise Unfit("Both signatures are needed: the release manager's and legal's.")
    states = learned.place_states(plan)
    waiting = [s for s in states if s in (Deployment.State.SERVING, Deployment.State.PENDING)]
    if waiting:
        raise Unfit(f"{len(waiting)} places still wait for the new version; record each as replaced or unreachable.")
    if untold := recipients.open_recipients(case):
        raise Unfit(
            f"{len(untold)} recipients were neither told (GDPR Art. 19) nor excused with reasons: "
            f"{', '.join(sorted({one.name for one in untold}))}."
        )
    guarantee = vocabulary.Guarantee(dispatch.METHODS[plan.method].guarantee.value)
    verdict, service = vocabulary.Verdict(plan.verification.verdict), vocabulary.service_of(states)
    possible = sentences.allowed(verdict, guarantee, service)
    if guarantee is vocabulary.Guarantee.EXACT and not dossier.constructed(plan):
        # Something of what learned from the records lies outside of what was trained again; the report says what.
        possible = possible - {Disposition.FULFILLED.value}
    best = next(
        d for d in (Disposition.FULFILLED, Disposition.PARTLY, Disposition.NOT_FULFILLED) if d.value in possible
    )
    return advance(
        case=case, to=Status.REPORTING, actor=actor, reason="Released; every place is accounted for", disposition=best
    )


def dispose_due() -> int:
    """Delete old weights, lineages and checkpoints whose day has come; returns how many.

    What another stored tree lists stays; a checkpoint that stays for that is not called deleted, and tried again.
    """
    gone = 0
    due = Disposal.objects.filter(deleted_at=None, due_on__lte=timezone.localdate()).exclude(
        case__held_at__isnull=False
    )
    for disposal in sorted(due, key=lambda one: one.what == Disposal.What.CHECKPOINTS):
        # An exact deletion that was run twice has the same bits, so the same name, as the version in use.
        used = ModelVersion.objects.filter(Q(artifact=disposal.artifact) | Q(lineage=disposal.artifact))
        out = [ModelVersion.State.RETIRED, ModelVersion.State.REJECTED, ModelVersion.State.WITHDRAWN]
        if used.exclude(state__in=out).exists():
            continue
        if not dispatch.discard(disposal.artifact):
            log.warning("%s %s is still listed by another stored tree", disposal.what, disposal.artifact)
            continue
        with transaction.atomic():
            Disposal.objects.filter(pk=disposal.pk, deleted_at=None).update(deleted_at=timezone.now())
            feed_pages.patches_changed(patch__artifact=disposal.artifact)
            ledger.append(
                action="weights.disposed",
                actor=SYSTEM,
                case=disposal.case,
                body={"what": disposal.what, "artifact": disposal.artifact},
            )
        gone += 1
    return gone
