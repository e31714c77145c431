"""Statements about versions and patches: signed, in forms that others' tools read, and held against the files."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from django.test import Client
from django.urls import reverse
from google.protobuf import json_format
from huggingface_hub import ModelCard
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from model_signing import verifying

from governance import dispatch, tasks
from governance.errors import Unfit
from governance.evidence import dsse, model_card, statements
from governance.management.commands.bootstrap import make_seal
from governance.models import AttestationSet, Case, Job, LedgerOpening, ModelVersion, Role, Status
from governance.policies import Actor
from governance.services import attestations, jobs
from lethe_verify import Outcome
from lethe_verify.statements import judge
from lethe_verify.trust import Trust, load
from tests.governance.staff import member

People = dict[Role, Actor]


@pytest.fixture
def house(settings: Any, tmp_path: Path) -> Path:
    """A signing worker's folder, and the public keys for everybody."""
    folder = tmp_path / "seal"
    settings.SEAL_FOLDER = str(folder)
    settings.SEAL_CERTIFICATE, settings.LEDGER_VERIFIER = tmp_path / "seal.crt.pem", tmp_path / "ledger.vkey"
    settings.MODEL_VERIFIER, settings.FEED_VERIFIER = tmp_path / "models.pub.pem", tmp_path / "feeds.pub"
    make_seal(folder)
    return tmp_path


def stored_model(tmp_path: Path, name: str = "model") -> tuple[str, Path]:
    folder = tmp_path / name
    (folder / "sub").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "sub" / "model.safetensors").write_bytes(name.encode() * 1000)
    return dispatch.store().put_tree(folder), folder


def sign_all() -> None:
    """What sweeper and signing worker do."""
    attestations.attestations_sweep()
    for job in Job.objects.filter(kind=attestations.KIND, state="queued"):
        jobs.job_run(job_id=str(job.pk), attempt=job.attempt, handlers=tasks.HOUSE)


def unpacked(row: AttestationSet, folder: Path) -> Path:
    return dispatch.store().fetch(row.artifact, folder)


def said(folder: Path, name: str) -> dict[str, Any]:
    envelope = json.loads((folder / name).read_text())["dsseEnvelope"]
    return dict(json.loads(base64.b64decode(envelope["payload"])))


@pytest.fixture
def registered(house: Path, catalogue: dict[str, Any], tmp_path: Path) -> tuple[Path, Path]:
    """A registered version: its folder, and its set of statements."""
    artifact, folder = stored_model(tmp_path)
    ModelVersion.objects.filter(pk=catalogue["released"].pk).update(artifact=artifact)
    sign_all()
    return folder, unpacked(AttestationSet.objects.get(version=catalogue["released"]), tmp_path / "set")


def trust(house: Path) -> Trust:
    return load(str(house / "models.pub.pem"))


def test_a_stranger_holds_the_statements_against_the_files(registered: tuple[Path, Path], house: Path) -> None:
    folder, found = registered
    verdict = judge(found, trust(house), model=folder)
    assert verdict.outcome is Outcome.GENUINE, verdict.findings
    assert {"set", "model", "signer", "tested"} <= {one.code for one in verdict.findings}
    assert judge(found, Trust(), model=folder).outcome is Outcome.UNKNOWN_SIGNER
    fingerprint = dsse.pem_fingerprint((house / "models.pub.pem").read_bytes())
    assert judge(found, load(fingerprint), model=folder).outcome is Outcome.GENUINE


def test_the_stock_tool_of_model_signing_agrees(registered: tuple[Path, Path], house: Path) -> None:
    folder, found = registered
    config = verifying.Config().use_elliptic_key_verifier(public_key=house / "models.pub.pem")
    config.verify(folder, found / "model.sigstore.json")
    (folder / "config.json").write_text("{ }")
    with pytest.raises(ValueError, match="Signature mismatch"):
        config.verify(folder, found / "model.sigstore.json")


def test_every_change_is_noticed(registered: tuple[Path, Path], house: Path, tmp_path: Path) -> None:
    folder, found = registered

    def outcome(change: Callable[[Path, Path], object]) -> tuple[Outcome, str]:
        here = tmp_path / "tampered"
        shutil.rmtree(here, ignore_errors=True)
        copies = shutil.copytree(folder, here / "model"), shutil.copytree(found, here / "set")
        change(*map(Path, copies))
        verdict = judge(here / "set", trust(house), model=here / "model")
        return verdict.outcome, verdict.findings[-1].code

    def flip(path: Path, at: int = 30) -> None:
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        path.write_bytes(bytes(data))

    cases: dict[str, Callable[[Path, Path], object]] = {
        "a byte of the weights": lambda m, s: flip(m / "sub" / "model.safetensors"),
        "a file added": lambda m, s: (m / "sub" / "more.bin").write_bytes(b"x"),
        "a file gone": lambda m, s: (m / "config.json").unlink(),
        "a link": lambda m, s: (m / "link").symlink_to(m / "config.json"),
        "the card": lambda m, s: flip(s / "README.md"),
        "the bill of materials": lambda m, s: flip(s / "bom.cdx.json"),
        "a document more": lambda m, s: (s / "more.md").write_text("all is forgotten"),
        "a document less": lambda m, s: (s / "provenance.sigstore.json").unlink(),
        "one statement in another's place": lambda m, s: shutil.copy(
            s / "model.sigstore.json", s / "provenance.sigstore.json"
        ),
        **{
            f"byte {at} of {name}": lambda m, s, name=name, at=at: flip(s / name, at)
            for name in ("model.sigstore.json", "provenance.sigstore.json", "set.sigstore.json", "signer.pub.pem")
            for at in (40, 77, 150)
        },
    }  # type: ignore[dict-item]
    for what, change in cases.items():
        assert outcome(change)[0] is Outcome.REFUSED, what


def test_a_set_signed_by_another_house_is_not_ours(registered: tuple[Path, Path], house: Path, tmp_path: Path) -> None:
    folder, found = registered
    other = tmp_path / "other"
    other.mkdir()
    dsse.create_key(other)
    signer = dsse.FileSigner(other)
    for name in ("model", "provenance"):
        payload = base64.b64decode(json.loads((found / f"{name}.sigstore.json").read_text())["dsseEnvelope"]["payload"])
        (found / f"{name}.sigstore.json").write_bytes(dsse.bundle(payload, signer))
    assert judge(found, trust(house), model=folder).outcome is Outcome.REFUSED
    (found / "signer.pub.pem").write_bytes(dsse.public_pem(signer.public_key))
    assert judge(found, trust(house), model=folder).outcome is Outcome.REFUSED


def test_each_document_has_the_form_that_its_readers_know(
    walk: Callable[..., Case], case: Case, catalogue: dict[str, Any], house: Path, tmp_path: Path
) -> None:
    walk(case, Status.RELEASE)
    ModelVersion.objects.filter(plan__case=case, state="candidate").update(state="released")
    sign_all()
    rows = {row.version.state: row for row in AttestationSet.objects.exclude(version=catalogue["released"])}
    for state, words, result in (("rejected", "fail", "FAILED"), ("released", "pass", "PASSED")):
        found = unpacked(rows[state], tmp_path / state)
        test = said(found, "test-result-1.sigstore.json")
        assert test["predicate"]["result"] == result
        json_format.ParseDict(test["predicate"], test_result_pb2.TestResult(), ignore_unknown_fields=False)
        simple = said(found, "verification-1.sigstore.json")["predicate"]
        assert f"UNLEARNING_VERDICT_{words.upper()}" in simple["properties"]
        provenance = said(found, "provenance.sigstore.json")["predicate"]
        json_format.ParseDict(provenance, provenance_pb2.Provenance(), ignore_unknown_fields=False)
        [forgotten] = provenance["buildDefinition"]["externalParameters"]["forget"]
        assert forgotten["records"] == 2 and len(forgotten["commitment"]) == 64
        bom = (found / "bom.cdx.json").read_text()
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bom) is None
        component = json.loads(bom)["metadata"]["component"]
        assert component["pedigree"]["ancestors"][0]["name"] == "Lumen rev. 1"
        text = (found / "README.md").read_text()
        card = ModelCard(text)
        assert card.data.eval_results and card.data.eval_results[0].metric_value == 0.01
        assert f"Verification 1: {words}" in text and model_card.LIMITS[1] in text
        whole = b"".join(path.read_bytes() for path in found.iterdir())
        for secret in (b"Vel Marun", b"vel@marun", case.number.encode(), b"r1\n", b"Salt Orchard"):
            assert secret not in whole
    body = LedgerOpening.objects.filter(entry__action="attestations.signed").latest("entry").body
    assert set(body["documents"]) >= {"README.md", "set.sigstore.json"} and body["set"].startswith("sha256:")


def test_the_commitment_tells_forget_sets_apart_and_nothing_else() -> None:
    one = statements.forget_commitment(b"k" * 32, ["a", "bc"])
    assert one == statements.forget_commitment(b"k" * 32, ["bc", "a", "a"])
    assert one != statements.forget_commitment(b"k" * 32, ["ab", "c"]) != statements.forget_commitment(b"l" * 32, ["a"])


def test_without_the_seal_the_job_says_so(catalogue: dict[str, Any], settings: Any) -> None:
    settings.SEAL_FOLDER = ""
    attestations.attestations_sweep()
    assert attestations.attestations_sweep() == 0
    with pytest.raises(Unfit, match="has no seal"):
        attestations.attestation_make(job=Job.objects.get(kind=attestations.KIND))


def test_the_version_page_lists_them_and_hands_them_out(
    client: Client, registered: tuple[Path, Path], catalogue: dict[str, Any], people: People
) -> None:
    client.force_login(member("see@house.example", role=Role.AUDITOR))
    version = catalogue["released"]
    page = client.get(reverse("version", args=[version.model.public_id, version.revision])).content.decode()
    row = AttestationSet.objects.get(version=version)
    url = reverse("version_statements", args=[version.model.public_id, version.revision, row.pk])
    assert url in page and "provenance.sigstore.json" in page
    assert client.get(url).content.startswith(b"PK")


def test_an_attack_that_reworded_no_fact_is_none_that_was_made(
    walk: Callable[..., Case], case: Case, catalogue: dict[str, Any]
) -> None:
    walk(case, Status.RELEASE)
    plan = case.plans.get(verification__verdict="pass")
    attack = {"attack": "prompts", "model": "candidate", "asked_facts": 9, "prefixes": 4, "roles": 4}
    for plain, left_out in ((9, ("prompts",)), (3, ())):
        plan.verification.document["attacks"].append({**attack, "forget_facts": 9, "plain_facts": plain})
        (test,) = attestations._tests([plan])
        assert test.left_out == left_out
        plan.verification.document["attacks"].pop()
