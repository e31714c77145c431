"""Signed statements about every version that was registered, released or rejected, and about every patch.

Made in the signing worker, the only process with the key. The store names every file by its SHA-256, so that no weights
are read for it: what is signed is what was stored.
"""

from __future__ import annotations

import functools
import hashlib
import io
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from governance import dispatch
from governance.errors import KeyDestroyed, Unfit
from governance.evidence import dsse, ledger, model_bom, model_card, outcomes, statements
from governance.evidence.engine_results import verification
from governance.evidence.leaf import timestamp
from governance.evidence.statements import Origin, Test, Thing
from governance.evidence.vocabulary import Verdict
from governance.models import AttestationSet, Disposal, Job, ModelVersion, Patch, Plan, SigningKey
from governance.models.vault import commitment_key
from governance.policies import Actor
from governance.secrets import BASE_DIR
from governance.services import dossier, feed_pages, known_keys, own_keys
from governance.services.unlearning import run_of

SYSTEM = Actor.system("attestations")
KIND = "attest"
#: How many sets one sweep asks for.
SWEEP = 20
V = ModelVersion.State
#: Candidates are not spoken of before they are judged, nor references, which never leave the laboratory.
STATED = (V.RELEASED, V.RETIRED, V.REJECTED, V.WITHDRAWN)
CARD, BOM, SIGNER = "README.md", "bom.cdx.json", "signer.pub.pem"
SUFFIX = ".sigstore.json"


def attestations_sweep() -> int:
    """Ask for the statements that are missing; returns how many."""
    known = AttestationSet.objects.filter(patch=None).values("version")
    gone = Disposal.objects.filter(deleted_at__isnull=False).values("artifact")
    versions = ModelVersion.objects.filter(state__in=STATED).exclude(pk__in=known).exclude(artifact__in=gone)
    patches = Patch.objects.filter(attestations=None).exclude(artifact="").exclude(artifact__in=gone)
    patches = patches.select_related("release__version")
    wanted: list[tuple[str, ModelVersion, Patch | None]] = [
        (f"{KIND}:version:{one.pk}", one, None) for one in versions.order_by("id")[:SWEEP]
    ]
    wanted += [(f"{KIND}:patch:{one.pk}", one.release.version, one) for one in patches.order_by("id")[:SWEEP]]
    for key, version, patch in wanted:
        with transaction.atomic():
            job = dispatch.enqueue(kind=KIND, key=key)
            AttestationSet.objects.get_or_create(job=job, defaults={"version": version, "patch": patch})
    return len(wanted)


def attestation_make(*, job: Job) -> AttestationSet:
    """Job `attest`: state, sign, keep, and enter the digests into the ledger.

    Raises:
        Unfit: this worker has no key, or the files are gone. SealError: the key cannot be read.
        SealUnavailable: the key may be in other hands; the next one signs.
    """
    if not settings.SEAL_FOLDER:
        raise Unfit("This worker has no seal: set LETHE_SEAL_FOLDER for the signing worker alone.")
    known_keys.check_current(SigningKey.Purpose.MODELS)
    related = ("version__model", "version__parent", "patch__release__case__claimant", "patch__job")
    row = AttestationSet.objects.select_related(*related).get(job=job)
    signer = own_keys.models_open(Path(settings.SEAL_FOLDER))
    thing = _patch(row.patch, row.version) if row.patch else _version(row.version)
    documents = make(thing, signer)
    with tempfile.TemporaryDirectory(prefix="lethe-statements-") as scratch:
        for name, data in documents.items():
            (Path(scratch) / name).write_bytes(data)
        artifact = dispatch.store().put_tree(scratch)
    with transaction.atomic():
        subject = f"sha256:{thing.root}"
        AttestationSet.objects.filter(pk=row.pk).update(artifact=artifact, subject=subject, made_at=timezone.now())
        digests = {name: dispatch.bytes_digest(data) for name, data in documents.items()}
        body = {"version": row.version.artifact, "set": artifact, "subject": subject, "documents": digests}
        ledger.append(action="attestations.signed", actor=SYSTEM, body=body)
        if row.patch:
            feed_pages.patches_changed(patch=row.patch)
    row.refresh_from_db()
    return row


def make(thing: Thing, signer: dsse.StatementSigner) -> dict[str, bytes]:
    """Every document of a set by its name; the last one is signed over all others."""

    def signed(kind: str, predicate: dict[str, Any], *, alone: bool = False) -> bytes:
        subjects = thing.subjects[:1] if alone else thing.subjects
        return dsse.bundle(dsse.statement(subjects=subjects, kind=kind, predicate=predicate), signer)

    found = {
        SIGNER: dsse.public_pem(signer.public_key),
        CARD: model_card.card(thing),
        BOM: model_bom.bom(thing),
        f"model{SUFFIX}": signed(statements.MODEL_SIGNATURE, statements.model_signature(thing), alone=True),
        f"provenance{SUFFIX}": signed(statements.PROVENANCE, statements.provenance(thing)),
    }
    for number, test in enumerate(thing.tests, 1):
        found[f"test-result-{number}{SUFFIX}"] = signed(statements.TEST_RESULT, statements.test_result(test))
        simple = statements.simple_verification(thing, test)
        found[f"verification-{number}{SUFFIX}"] = signed(statements.SIMPLE_VERIFICATION, simple)
    found[f"set{SUFFIX}"] = signed(statements.REFERENCE, statements.reference(thing, found))
    return found


def files_of(artifact: str) -> dict[str, str]:
    """Path and `sha256:<hex>` of each file of a stored model; one that is a single file is called `weights`.

    Raises:
        Unfit: it is not stored any more.
    """
    try:
        tree = dispatch.store().list_tree(artifact)
    except dispatch.DataError as error:
        raise Unfit(f"{artifact} is not stored any more, so that nothing can be stated about its files.") from error
    return {"weights": artifact} if tree is None else tree


def _base(version: ModelVersion | None) -> dict[str, str] | None:
    if version is None:
        return None
    known = AttestationSet.objects.filter(version=version, patch=None).exclude(subject="").first()
    root = known.subject if known else ""
    if not root and dispatch.exists(version.artifact):
        root = statements.root(files_of(version.artifact))
    weights = _weights(version)
    return {"name": str(version), "artifact": version.artifact, "root": statements.plain(root), "weights": weights}


def _run(version: ModelVersion) -> Job | None:
    plan = version.plans.filter(leader=None).first()
    return run_of(plan) if plan else None


def _result(job: Job | None) -> dict[str, Any]:
    if job is None or not job.result or not dispatch.exists(job.result):
        return {}
    return dict(dispatch.read_json(job.result))


def _weights(version: ModelVersion) -> str:
    """The engine's own digest of a version's weights; empty where no run told it."""
    return str(_result(_run(version)).get("metrics", {}).get("weights_digest") or "")


def _version(version: ModelVersion) -> Thing:
    plans = list(version.plans.select_related("case__claimant", "verification").order_by("id"))
    run = _run(version)
    result = _result(run)
    made = result.get("metrics", {}).get("construction") or {}
    kind = "unlearning" if plans else "rollback" if version.method == "rollback" else "registration"
    started = (run.started_at if run else None) or version.created_at
    finished = (run.finished_at if run else None) or version.created_at
    datasets = tuple({"digest": one.artifact} for one in version.datasets.order_by("id"))
    base = _base(version.parent)
    origin = Origin(
        kind=kind,
        method=version.method,
        parameters={"forget": [_forgotten(plan) for plan in plans]} if plans else {},
        materials=tuple(_materials(base, datasets)),
        code=dict(result.get("environment", {}).get("versions", {})),
        invocation=f"urn:uuid:{run.pk if run else version.public_id}",
        started_at=timestamp(started),
        finished_at=timestamp(finished),
    )
    return Thing(
        name=str(version),
        kind="model",
        model=version.model.name,
        issuer=settings.ORGANISATION,
        issuer_url=settings.BASE_URL,
        files=files_of(version.artifact),
        origin=origin,
        made_at=timestamp(timezone.now()),
        base=base,
        derived=not made.get("fresh_weights", False),
        weights=_weights(version),
        tests=tuple(_tests(plans)),
        datasets=datasets,
    )


def _patch(patch: Patch, version: ModelVersion) -> Thing:
    """A patch: the verdicts are those about the version that it leads to, bit for bit."""
    files = files_of(patch.artifact)
    manifest = dispatch.read_json(files["manifest.json"])
    result, plans = _version(version), version.plans.select_related("case__claimant", "verification").order_by("id")
    base = {**(result.base or {"name": "base", "artifact": "", "root": ""}), "weights": manifest["base"]["weights"]}
    origin = Origin(
        kind="patch",
        method=str((manifest.get("run") or {}).get("method") or version.method),
        parameters={"forget": [_forgotten(plan) for plan in plans], "patch": manifest["digest"],
                    "base": manifest["base"]["weights"], "result": manifest["result"]["weights"],
                    "confidential": manifest["confidential"]},
        materials=tuple(_materials(base, ())),
        code=result.origin.code,
        invocation=f"urn:uuid:{patch.job.pk}",
        started_at=timestamp(patch.job.started_at or patch.asked_at),
        finished_at=timestamp(patch.job.finished_at or patch.asked_at),
    )  # fmt: skip
    return Thing(
        name=f"Patch from {version.parent} to {version}",
        kind="patch",
        model=version.model.name,
        issuer=settings.ORGANISATION,
        issuer_url=settings.BASE_URL,
        files=files,
        origin=origin,
        made_at=result.made_at,
        base=base,
        weights=manifest["result"]["weights"],
        tests=result.tests,
    )


def _materials(base: dict[str, str] | None, datasets: tuple[dict[str, str], ...]) -> Iterator[dict[str, Any]]:
    if base:
        known = {"artifact": base["artifact"], "weights": base["weights"]}
        digest = {"digest": {"sha256": base["root"]}} if base["root"] else {}
        marks = {name: value for name, value in known.items() if value}
        yield {"name": "base model", "uri": f"urn:lethe:version:{model_card.slug(base['name'])}", **digest,
               "annotations": marks}  # fmt: skip
    for number, one in enumerate(datasets, 1):
        yield {"name": f"training data {number}", "digest": {"sha256": statements.plain(one["digest"])}}
    yield {"name": "engine source, as installed where this was signed", "digest": {"sha256": _source()}}


@functools.cache
def _source() -> str:
    """Hex SHA-256 over the engine's source files, in order of their paths: `path NUL digest LF` of each."""
    state, folder = hashlib.sha256(), BASE_DIR / "unlearning_engine"
    for path in sorted(folder.rglob("*.py")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        state.update(f"{path.relative_to(folder).as_posix()}\0{digest}\n".encode())
    return state.hexdigest()


def _forgotten(plan: Plan) -> dict[str, Any]:
    """The forget set of a case: how many, and a commitment under the person's key; none once that is destroyed."""
    try:
        key = commitment_key(plan.case.claimant.subject)
    except KeyDestroyed:
        return {"records": plan.forget_count, "commitment": ""}
    names = dispatch.read_lines(plan.forget_ids)
    return {"records": plan.forget_count, "commitment": statements.forget_commitment(key, names)}


def _tests(plans: list[Plan]) -> Iterator[Test]:
    for plan in plans:
        found = getattr(plan, "verification", None)
        if found is None:
            continue
        told = verification(found.document, document_digest=found.artifact)
        entry = dossier.confirmation(plan)
        yield Test(
            verdict=Verdict(found.verdict),
            guarantee=dispatch.METHODS[plan.method].guarantee.value,
            policy_digest=plan.policy_digest,
            recorded_index=entry.entry_id,
            recorded_at=timestamp(entry.entry.at),
            finished_at=timestamp(found.created_at),
            comparison=str(told["comparison"]),
            proven=told.get("reference_lineage") == "proven",
            left_out=tuple(sorted({*(told.get("attacks_not_applicable") or ()), *outcomes.unmade(told)})),
            confidence=float(found.document["policy"].get("confidence", 0.95)),
            probes=tuple(told["probes"]),
            findings=tuple(told["findings"]),
        )


def documents(row: AttestationSet) -> dict[str, str]:
    """Name and reference of each document of a set that is made; empty before, and when it was deleted."""
    if not row.artifact or not dispatch.exists(row.artifact):
        return {}
    return dispatch.store().list_tree(row.artifact) or {}


def packed(row: AttestationSet) -> bytes:
    """The set as a ZIP: a few documents of a few kilobytes each.

    Raises:
        Unfit: it is not made yet, or was deleted.
    """
    found = documents(row)
    if not found:
        raise Unfit("These statements are not there: they are not signed yet, or were deleted.")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, ref in sorted(found.items()):
            archive.writestr(zipfile.ZipInfo(name), dispatch.read_bytes(ref))
    return buffer.getvalue()


def sets_of(version: ModelVersion) -> list[AttestationSet]:
    """The sets about a version and about the patch that leads to it."""
    found = AttestationSet.objects.filter(Q(version=version)).select_related("job", "patch", "version__model")
    return list(found.order_by("patch", "id"))
