"""Patches of releases: what changed as a small file, private, and deleted with the weights of before.

Base and patch tell what was removed, and a patch beside its result is its base. So the patch of a case about personal
data is never public, and every patch goes on the day of the old weights.
"""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from governance import dispatch
from governance.errors import Conflict, Unfit
from governance.evidence import ledger
from governance.kinds import rule
from governance.models import Case, Disposal, Job, Patch, Release
from governance.models.vault import subject_readable
from governance.policies import Actor, Permission, demand, demand_impartial
from governance.services import orders

SYSTEM = Actor.system("patches")
KIND = "engine.patch"


def _record(patch: Patch, action: str, actor: Actor, **more: object) -> None:
    case = patch.release.case
    known = case if subject_readable(case.claimant) else None
    ledger.append(action=action, actor=actor, case=known, body={"public": patch.public, **more})


@transaction.atomic
def patch_make(*, case: Case, actor: Actor, public: bool = False) -> Patch:
    """Have the engine make the patch of a case's release.

    Raises:
        Unfit: nothing was released, the old weights are gone, or a patch about personal data is to be public.
        Conflict: it is made, or being made.
    """
    demand(actor, Permission.MAKE_PATCH)
    demand_impartial(case, actor)
    release = Release.objects.select_related("version__parent").filter(case=case).first()
    if release is None or not (release.released_at and release.legal_at) or release.version.parent is None:
        raise Unfit(f"Case {case.number} has released no version.")
    before, after = release.version.parent, release.version
    problems = []
    if public and any(rule(one.kind).personal for one in orders.undone_by(after)):
        problems.append(
            "The patch of a case about personal data is never public: with the base it tells what was erased."
        )
    until = orders.rollback_until(before)
    if not dispatch.exists(before.artifact) or (until is not None and until <= timezone.localdate()):
        problems.append(f"The weights of {before} are gone, or go today; no patch can be made of them.")
    if problems:
        raise Unfit(problems)
    _start_anew(release)
    spec = dispatch.PatchSpec(base=before.artifact, model=after.artifact, public=public)
    tries = Job.objects.filter(key__startswith=f"{KIND}:{release.pk}:").count()
    job = dispatch.enqueue_engine(spec=spec, key=f"{KIND}:{release.pk}:{tries}", kind=KIND)
    patch = Patch.objects.create(release=release, job=job, public=public, made_by=actor.user)
    _record(patch, "patch.asked", actor, version=after.artifact)
    return patch


def _start_anew(release: Release) -> None:
    """A patch whose job failed makes room for the next try."""
    there = Patch.objects.select_related("job").filter(release=release).first()
    if there is None:
        return
    if there.job.state not in (Job.State.FAILED, Job.State.CANCELLED):
        raise Conflict("The patch of this release is made already, or being made.")
    there.delete()


@transaction.atomic
def patch_finish(*, job: Job) -> Patch:
    """The engine has made it: name it, and give it the day of the old weights."""
    patch = Patch.objects.select_related("release__case__claimant", "release__version__parent").get(job=job)
    result = dispatch.read_json(job.result)
    patch.artifact, metrics = result["outputs"]["patch"], result["metrics"]
    patch.digest, patch.size = metrics["digest"], metrics["bytes"]
    patch.save(update_fields=["artifact", "digest", "size"])
    before = patch.release.version.parent
    until = orders.rollback_until(before) if before else None
    due = until or timezone.localdate() + timedelta(days=settings.DISPOSAL_DAYS)
    Disposal.objects.get_or_create(
        version=before or patch.release.version,
        what=Disposal.What.PATCH,
        artifact=patch.artifact,
        defaults={"case": patch.release.case, "due_on": due},
    )
    _record(patch, "patch.made", SYSTEM, digest=patch.digest, dispose_by=due.isoformat())
    return patch


def patch_state(patch: Patch) -> str:
    """How far it is: `making`, `failed`, `there` or `gone`."""
    if not patch.artifact:
        return "failed" if patch.job.state in (Job.State.FAILED, Job.State.CANCELLED) else "making"
    return "there" if dispatch.exists(patch.artifact) else "gone"


@transaction.atomic
def patch_fetch(*, patch: Patch, actor: Actor) -> bytes:
    """The patch's folder as a ZIP (its files are compressed already); who took it stands in the ledger.

    Raises:
        Unfit: it is not made yet, or was deleted with the old weights.
    """
    demand(actor, Permission.MAKE_PATCH)
    if patch_state(patch) != "there":
        raise Unfit("This patch is not there: it is not made yet, or was deleted with the weights of before.")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, ref in (dispatch.store().list_tree(patch.artifact) or {}).items():
            archive.writestr(zipfile.ZipInfo(name), dispatch.read_bytes(ref))
    _record(patch, "patch.fetched", actor, digest=patch.digest)
    return buffer.getvalue()
