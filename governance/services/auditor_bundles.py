"""The auditor's bundle: what a replay of a case needs, closed by a passphrase shown once, logged, gone after some days.

It holds specs, results, policies and digests, never the weights or the data themselves: those lie in the artefact
store, which an auditor is let into by another way. Record identifiers are inside, so it is closed and expires.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from governance import dispatch
from governance.errors import Conflict, NotAllowed
from governance.evidence import age, ledger
from governance.evidence.bundle import EPOCH
from governance.models import AuditorBundle, Case, Job, Plan, Report
from governance.policies import Actor, Permission, demand, demand_impartial
from governance.services import report_files
from governance.services.bundles import public_bundle
from governance.services.case_export import ledger_of

DAYS: Final = 7
SYSTEM: Final = Actor.system("bundles")
README: Final = """Auditor's bundle of report {number}

public.zip           the public bundle; check it by: python -m lethe_verify public.zip --trust lethe-trust.json
ledger.json          every entry of the case: leaf, opening, proof of inclusion (RFC 9162) under `size` and `root`
policy/DIGEST.json   each policy of the verdict, as it was recorded before the run
attempts/N.json      each plan: method, configuration, seed, digests of model, data, forget set, reference and candidate
jobs/N-KIND/         spec.json as the engine was given it, and result.json as it answered
verification/N.json  each verification's document
artefacts.json       every digest above: what to fetch from the artefact store for a replay

To replay a step, on a machine that has the store (docs/verifying.md):
  python -m unlearning_engine VERB jobs/N-KIND/spec.json --store URL --out OUT
"""


def bundle_make(*, report: Report, actor: Actor) -> tuple[AuditorBundle, str]:
    """Make and close a bundle; the passphrase is returned here and kept nowhere.

    Raises:
        NotAllowed: the policy refuses the actor, they are party to the case, or may not read the report.
        KeyDestroyed: the person's data is gone. Unfit: the report has no ledger proofs yet.
    """
    demand(actor, Permission.REPLAY_CASE)
    demand_impartial(report.case, actor)
    report_files.demand_readable(report, actor)
    if actor.user is None:
        raise NotAllowed("A machine takes no auditor's bundle.")
    passphrase = age.new_passphrase()
    closed = age.encrypt(_packed(report), passphrase)
    archive, until = dispatch.put_bytes(closed), timezone.now() + timedelta(days=DAYS)
    with transaction.atomic():
        made = AuditorBundle.objects.create(report=report, made_by=actor.user, archive=archive, expires_at=until)
        body = {"archive": archive, "bytes": len(closed), "until": until.isoformat(timespec="seconds")}
        ledger.append(action="bundle.made", actor=actor, case=report.case, body=body)
    return made, passphrase


@transaction.atomic
def bundle_fetch(*, bundle: AuditorBundle, actor: Actor) -> bytes:
    """The closed file; each time it is taken stands in the ledger.

    Raises:
        NotAllowed: the policy refuses the actor, or they are party to the case.
        Conflict: its days are over.
    """
    demand(actor, Permission.REPLAY_CASE)
    demand_impartial(bundle.report.case, actor)
    report_files.demand_readable(bundle.report, actor)
    if bundle.discarded_at or bundle.expires_at <= timezone.now():
        raise Conflict("This bundle's days are over. Make a new one.")
    ledger.append(action="bundle.taken", actor=actor, case=bundle.report.case, body={"archive": bundle.archive})
    return dispatch.read_bytes(bundle.archive)


def bundles_discard() -> int:
    """Discard the files of bundles whose days are over; how many."""
    done = 0
    due = AuditorBundle.objects.filter(discarded_at=None, expires_at__lte=timezone.now())
    for one in due.select_related("report__case__claimant"):
        with transaction.atomic():
            if AuditorBundle.objects.filter(pk=one.pk, discarded_at=None).update(discarded_at=timezone.now()):
                ledger.append(action="bundle.discarded", actor=SYSTEM, body={"archive": one.archive})
                done += 1
        dispatch.discard(one.archive)
    return done


def _packed(report: Report) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in _files(report):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _files(report: Report) -> Iterator[tuple[str, bytes]]:
    case = report.case
    plans = list(case.plans.select_related("base", "dataset", "reference", "candidate").order_by("attempt"))
    jobs = list(case.jobs.exclude(spec="").order_by("created_at", "id"))
    yield "README.txt", README.format(number=report.number).encode()
    yield "public.zip", public_bundle(report)
    yield "ledger.json", _json(ledger_of(case))
    for digest, policy in {plan.policy_digest: plan.policy for plan in plans}.items():
        yield f"policy/{digest.removeprefix('sha256:')}.json", dispatch.canonical_text(policy).encode()
    for plan in plans:
        yield f"attempts/{plan.attempt}.json", _json(_plan(plan))
        if hasattr(plan, "verification") and dispatch.exists(plan.verification.artifact):
            yield f"verification/{plan.attempt}.json", dispatch.read_bytes(plan.verification.artifact)
    for number, job in enumerate(jobs, 1):
        for name, ref in (("spec", job.spec), ("result", job.result)):
            if ref and dispatch.exists(ref):
                yield f"jobs/{number}-{job.kind}/{name}.json", dispatch.read_bytes(ref)
    yield "artefacts.json", _json(_artefacts(case, plans, jobs))


def _plan(plan: Plan) -> dict[str, Any]:
    return {
        "attempt": plan.attempt,
        "method": plan.method,
        "config": plan.config,
        "seed": plan.seed,
        "state": plan.state,
        "policy": plan.policy_digest,
        "base": plan.base.artifact,
        "dataset": plan.dataset.artifact,
        "forget": plan.forget_ids,
        "forget_count": plan.forget_count,
        "exclude": plan.exclude_ids,
        "reference": plan.reference.artifact if plan.reference else None,
        "candidate": plan.candidate.artifact if plan.candidate else None,
        "verdict": plan.verification.verdict if hasattr(plan, "verification") else None,
    }


def _artefacts(case: Case, plans: list[Plan], jobs: list[Job]) -> list[dict[str, Any]]:
    """Every digest that a replay needs, with what it is and whether the store still has it."""
    found: dict[str, str] = {}
    for plan in plans:
        for what, ref in _plan(plan).items():
            if isinstance(ref, str) and ref.startswith("sha256:") and what != "policy":
                found.setdefault(ref, f"{what} of attempt {plan.attempt}")
    for job in jobs:
        found.setdefault(job.spec, f"spec of {job.kind}")
        for name, ref in (dispatch.read_json(job.result)["outputs"] if job.result else {}).items():
            found.setdefault(ref, f"{name} of {job.kind}")
    return [{"digest": ref, "what": what, "kept": dispatch.exists(ref)} for ref, what in sorted(found.items()) if ref]


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True, default=str).encode() + b"\n"
