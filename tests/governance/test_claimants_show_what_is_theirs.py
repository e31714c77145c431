"""Proofs by oneself: kept with their evidence, single use, bound to the case, and a person may refuse them."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from governance import proof_checks as checks
from governance.errors import Conflict, Unfit
from governance.models import Case, Challenge, Kind, LedgerEntry, LedgerOpening, Role, Status, Upload
from governance.policies import Actor, proof_unlocks_containment, proof_unlocks_weights
from governance.services import doubts, intake, proof, proofs
from governance.services.intake import Item
from governance.tokens import link_token
from tests.governance.conftest import file_case
from tests.governance.names import name_server
from tests.governance.world import Web, web

M, State = Challenge.Method, Challenge.State
DOMAIN = "vel-marun.example"


@pytest.fixture
def world(settings: Any) -> Iterator[Web]:
    settings.OUTBOUND_NETWORKS = ["127.0.0.0/8"]
    with web() as kept:
        yield kept


def confirmed(kind: Kind = Kind.COPYRIGHT, **fields: Any) -> Case:
    case = file_case(kind, **fields)
    intake.email_confirm(token=link_token(case.public_id, "confirm"))
    case.refresh_from_db()
    return case


@pytest.fixture
def opted_out() -> Case:
    return confirmed(items=[Item(form="url", title="Poems", text=f"https://www.{DOMAIN}/poems")])


def begin(case: Case, method: str, target: str) -> Challenge:
    return proofs.challenge_begin(case=case, method=method, target=target, declared=True)


def again(row: Challenge) -> None:
    """As if the pause between two tries were over."""
    Challenge.objects.filter(pk=row.pk).update(tried_at=None)


def test_a_code_on_a_profile_sets_records_aside_and_leaves_the_rest_to_a_person(world: Web, opted_out: Case) -> None:
    world.put("/ada", "<p>hello</p>")
    row = begin(opted_out, M.PROFILE, f"{world.url}/ada")
    assert proofs.challenge_try(challenge=row).why == "no_code"
    with pytest.raises(Conflict, match="Wait"):
        proofs.challenge_try(challenge=row)
    again(row)
    world.put("/ada", f"<p>me: {row.code}</p>")
    assert proofs.challenge_try(challenge=row).shown
    row.refresh_from_db()
    opted_out.refresh_from_db()
    seen = proofs.evidence_of(row)
    assert seen["digest"].startswith("sha256:") and seen["at"] and row.code in seen["what"]
    assert (row.state, row.proof.level, opted_out.status) == (State.PROVEN, 2, Status.PROOF)
    assert proof_unlocks_containment(opted_out) and not proof_unlocks_weights(opted_out)
    again(row)
    with pytest.raises(Conflict, match="over"):
        proofs.challenge_try(challenge=row)


def test_a_record_in_the_dns_takes_the_case_on_only_where_the_claim_names_the_domain(
    settings: Any, opted_out: Case
) -> None:
    records: dict[str, str] = {}
    with name_server(records) as server, name_server({}) as other:
        settings.DNS_SERVERS = [server]
        stranger = begin(opted_out, M.DNS, "somebody-else.example")
        records[f"_lethe-proof.{stranger.target}"] = stranger.code
        assert proofs.challenge_try(challenge=stranger).shown
        opted_out.refresh_from_db()
        assert opted_out.status == Status.PROOF, "the claim does not name that domain"
        row = begin(opted_out, M.DNS, f"https://{DOMAIN.upper()}/about")
        assert (row.target, row.bound) == (DOMAIN, True)
        assert proofs.challenge_try(challenge=row).why == "no_record"
        records[f"_lethe-proof.{DOMAIN}"] = stranger.code
        again(row)
        assert proofs.challenge_try(challenge=row).why == "no_code", "a code serves one challenge"
        records[f"_lethe-proof.{DOMAIN}"] = row.code
        settings.DNS_SERVERS = [server, other]
        again(row)
        assert proofs.challenge_try(challenge=row).why == "no_record", "every server must give it"
        settings.DNS_SERVERS = [server]
        again(row)
        assert proofs.challenge_try(challenge=row).shown
    opted_out.refresh_from_db()
    assert opted_out.status == Status.REVIEW


def test_a_file_of_the_domain_is_the_code_and_nothing_else_and_follows_no_redirect(world: Web) -> None:
    code, networks = checks.new_code(), ["127.0.0.0/8"]
    world.put("/n.txt", f"{code}\n")
    assert checks.well_known(f"{world.url}/n.txt", code, networks=networks).size == len(code) + 1
    world.put("/n.txt", f"everything: {code}")
    world.put("/away", "", ("Location", "/n.txt"), status=302)
    for path in ("/n.txt", "/away", "/nothing"):
        with pytest.raises(checks.NotShown):
            checks.well_known(f"{world.url}{path}", code, networks=networks)
    with pytest.raises(checks.NotShown, match="not_public"):
        checks.well_known(f"{world.url}/n.txt", code, networks=[])


def test_a_page_that_sends_elsewhere_is_not_the_page(world: Web) -> None:
    code = checks.new_code()
    with web() as other:
        other.put("/mine", code)
        away = other.url.replace("127.0.0.1", "localhost")
        world.put("/ada", "", ("Location", f"{away}/mine"), status=302)
        with pytest.raises(checks.NotShown, match="elsewhere"):
            checks.page_code(f"{world.url}/ada", code, networks=["127.0.0.0/8", "::1/128"])


def test_both_commands_sign_and_nothing_else_passes(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    text = checks.challenge_text("LT-AAAAA-AAA", DOMAIN, checks.new_code())
    keys = [key.public_key()]
    raw = base64.b64encode(key.sign(text.encode())).decode()
    assert checks.verify_signature(text, raw, keys)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "k"], check=True)  # noqa: S607
    (tmp_path / "lethe.txt").write_text(text)
    for space, fits in (("lethe", True), ("git", False)):
        command = ["ssh-keygen", "-Y", "sign", "-f", tmp_path / "k", "-n", space]
        told = subprocess.run(command, input=text.encode(), capture_output=True, check=True).stdout.decode()
        found = checks._key((tmp_path / "k.pub").read_bytes().strip())
        assert found
        if fits:
            assert checks.verify_signature(text, told, [found])
        empty = "-----BEGIN SSH SIGNATURE-----AA==-----END SSH SIGNATURE-----"
        for wrong in (raw, "x", empty, *([] if fits else [told])):
            with pytest.raises(checks.NotShown):
                checks.verify_signature(text, wrong, [found])
    with pytest.raises(checks.NotShown, match="wrong_signature"):
        checks.verify_signature(text + "x", raw, keys)


def test_a_key_on_a_page_signs_for_the_page_and_not_for_its_domain(world: Web, opted_out: Case) -> None:
    key = Ed25519PrivateKey.generate()
    world.put("/ada.keys", key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b"\n")
    row = begin(opted_out, M.SIGNATURE, f"{world.url}/ada.keys")
    signed = key.sign(checks.challenge_text(opted_out.number, row.target, row.code).encode())
    assert proofs.challenge_try(challenge=row, answer=base64.b64encode(signed).decode()).shown
    row.refresh_from_db()
    assert row.proof.level == 2 and "sha256:" in proofs.evidence_of(row)["more"]["key"]


def test_a_number_is_a_declaration_that_a_person_judges_and_may_refuse(
    opted_out: Case, people: dict[Role, Actor]
) -> None:
    with pytest.raises(Unfit, match="Declare"):
        proofs.challenge_begin(case=opted_out, method=M.REGISTRY, target="ISBN 978-3-16-148410-0")
    row = begin(opted_out, M.REGISTRY, "ISBN 978-3-16-148410-0")
    assert row.state == State.WAITING and not proof_unlocks_weights(opted_out)
    proofs.challenge_judge(challenge=row, accept=True, reason="The register names her.", actor=people[Role.LEGAL])
    assert proof_unlocks_weights(opted_out)
    proofs.proof_refuse(proof=row.proof, reason="Another person of that name.", actor=people[Role.LEGAL])
    assert not proof_unlocks_weights(opted_out)
    with pytest.raises(Conflict):
        proofs.proof_refuse(proof=row.proof, reason="Twice.", actor=people[Role.LEGAL])


def test_a_channel_takes_a_private_person_on_and_its_code_is_not_on_the_page(client: Client) -> None:
    case = confirmed(Kind.PRIVACY, items=[Item(form="fact", title="", text="Ada lives in Ardry.")])
    token = link_token(case.public_id, "status")
    assert client.get(f"/status/{token}/proof/dns/").status_code == 404, "never more than the effect needs"
    sent = client.post(f"/status/{token}/proof/channel/", {"target": "my account ada_q"})
    row = case.challenges.get()
    page = client.get(sent["Location"]).content.decode()
    assert row.code not in page and "Enter the code" in page
    assert client.post(sent["Location"], {"answer": "lethe-0"}).status_code == 422
    again(row)
    assert client.post(sent["Location"], {"answer": f" {row.code.upper()} "}).status_code == 302
    case.refresh_from_db()
    assert case.status == Status.REVIEW and proof_unlocks_weights(case)


def test_a_document_is_taken_only_on_a_recorded_doubt_and_goes_with_the_decision(
    client: Client, people: dict[Role, Actor]
) -> None:
    case = confirmed(Kind.PRIVACY, items=[Item(form="fact", title="", text="Ada lives in Ardry.")])
    address = f"/status/{link_token(case.public_id, 'status')}/proof/document/"
    assert client.get(address).status_code == 404
    with pytest.raises(Conflict, match="Nobody asked"):
        doubts.document_take(case=case, name="id.pdf", data=b"%PDF-1.4\n%%EOF")
    why = "Two requests in this name came from different addresses."
    doubts.doubt_record(case=case, reason=why, pauses_clock=False, actor=people[Role.LEGAL])
    assert why in client.get(address).content.decode()
    assert address in client.get(address.removesuffix("proof/document/")).content.decode(), "one step from the page"
    pdf = SimpleUploadedFile("id.pdf", b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF", "application/pdf")
    assert client.post(address, {"file": pdf}).status_code == 302
    case.refresh_from_db()
    assert case.status == Status.PROOF, "what was asked for is here: the clock runs on"
    doubts.doubt_settle(case=case, dispelled=True, note="The name fits.", actor=people[Role.LEGAL])
    upload = Upload.objects.get()
    assert (upload.state, upload.artifact) == (Upload.State.DELETED, "")
    actions = list(LedgerEntry.objects.order_by("index").values_list("action", flat=True))
    assert {"doubt.recorded", "doubt.answered", "doubt.settled", "upload.settled"} <= set(actions)
    assert proof_unlocks_weights(case)


def test_what_is_over_is_over_and_another_case_opens_nothing(client: Client, opted_out: Case) -> None:
    row = begin(opted_out, M.DNS, DOMAIN)
    other = confirmed(email="other@marun.example")
    theirs = link_token(other.public_id, "status")
    assert client.get(f"/status/{theirs}/proof/{row.public_id}/").status_code == 404
    Challenge.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    row.refresh_from_db()
    with pytest.raises(Conflict, match="over"):
        proofs.challenge_try(challenge=row)
    spent = begin(opted_out, M.DNS, DOMAIN)
    Challenge.objects.filter(pk=spent.pk).update(tries=proofs.MAX_TRIES)
    with pytest.raises(Conflict, match="over"):
        proofs.challenge_try(challenge=spent)
    unconfirmed = file_case(email="third@marun.example")
    with pytest.raises(Conflict, match="letter"):
        begin(unconfirmed, M.DNS, DOMAIN)
    for target in ("localhost", "127.0.0.1", "http://user:pass@x.example", "nodot", "💥", "\0"):
        with pytest.raises(Unfit):
            begin(opted_out, M.DNS if "user" not in target else M.PROFILE, target)


def test_the_ledger_tells_of_every_try_and_names_nobody(opted_out: Case) -> None:
    row = begin(opted_out, M.DNS, DOMAIN)
    proofs.challenge_end(challenge=row)
    told = " ".join(str(body) for body in LedgerOpening.objects.values_list("body", flat=True))
    assert row.code not in told and DOMAIN not in told
    actions = set(LedgerEntry.objects.values_list("action", flat=True))
    assert {"proof.begun", "proof.settled"} <= actions


def test_the_pages_tell_what_a_way_unlocks_before_they_ask(client: Client, opted_out: Case) -> None:
    address = f"/status/{link_token(opted_out.public_id, 'status')}/proof/"
    page = client.get(address).content.decode()
    assert "Matching records are set aside" in page and "A change of the models" in page and "perjury" not in page
    assert "What it unlocks:" in client.get(f"{address}profile/").content.decode()
    refused = client.post(f"{address}dns/", {"target": "nodot", "declared": "on"})
    assert refused.status_code == 422 and "This is no domain" in refused.content.decode()
    sent = client.post(f"{address}dns/", {"target": DOMAIN, "declared": "on"})
    assert opted_out.challenges.get().code in client.get(sent["Location"]).content.decode()


def test_what_was_begun_stays_in_sight_when_enough_is_shown(
    client: Client, opted_out: Case, people: dict[Role, Actor]
) -> None:
    begin(opted_out, M.PROFILE, "https://elsewhere.example/vel")
    proof.proof_record(case=opted_out, level=4, note="Seen.", actor=people[Role.LEGAL])
    page = client.get(f"/status/{link_token(opted_out.public_id, 'status')}/proof/").content.decode()
    assert "What you have shown is enough" in page
    assert "What you have begun" in page and "https://elsewhere.example/vel" in page
