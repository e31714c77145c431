"""A witness of another party signs that our ledger only grew; it refuses forks and rollbacks, also after a crash."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import Client
from django.utils import timezone

from governance.evidence import checkpoint, cosignature, merkle
from governance.models import LedgerCosignature, LedgerWitness, Role
from governance.services import checkpoints, witnesses
from lethe_verify import Outcome, judge, note
from lethe_verify.errors import Refused
from lethe_verify.trust import Trust, TrustError, read
from lethe_witness.__main__ import Answer, State, Witness, main, server, verifier_key
from tests.governance.staff import member
from tests.governance.test_ledger_tiles import write
from tests.verifier.example import forged, genuine, witness_of

pytestmark = pytest.mark.database

ORIGIN = "lethe.localhost/ledger"
LOG = Ed25519PrivateKey.from_private_bytes(b"l" * 32)


def leaves(*names: str) -> merkle.Tree:
    return merkle.Tree(merkle.leaf_hash(name.encode()) for name in names)


def note_of(tree: merkle.Tree, key: Ed25519PrivateKey = LOG, origin: str = ORIGIN) -> str:
    return checkpoint.make_checkpoint(origin=origin, size=len(tree), root=tree.root(), key=key)


def ask(tree: merkle.Tree, old: int, proof: list[bytes] | None = None, **how: Any) -> bytes:
    proof = tree.consistency_proof(old) if proof is None else proof
    return cosignature.request(old=old, proof=proof, note=note_of(tree, **how))


@pytest.fixture
def made(tmp_path: Path) -> Witness:
    logs = [checkpoint.verifier_key(ORIGIN, LOG.public_key())]
    return Witness(name="w.example/1", key=Ed25519PrivateKey.generate(), logs=logs, state=State(tmp_path / "state"))


def refusal(made: Witness, body: bytes) -> tuple[int, str]:
    with pytest.raises(Answer) as refused:
        made.add_checkpoint(body)
    return refused.value.status, refused.value.kind


def test_it_answers_as_the_protocol_says(made: Witness) -> None:
    three, five = leaves("a", "b", "c"), leaves("a", "b", "c", "d", "e")
    fork = leaves("a", "b", "x", "d", "e", "f")
    line = made.add_checkpoint(ask(three, 0)).removesuffix("\n")
    assert cosignature.verify(note_of(three), line, verifier_key(made.name, made.key)).year >= 2026
    assert refusal(made, ask(five, 0)) == (409, "text/x.tlog.size")
    assert made.add_checkpoint(ask(five, 3)).startswith("— w.example/1 ")
    assert made.add_checkpoint(ask(five, 5)).startswith("— w.example/1 ")
    assert refusal(made, ask(fork, 5))[0] == 422
    assert refusal(made, ask(leaves("a", "b", "x", "d", "e"), 5, [])) == (409, "text/plain; charset=utf-8")
    assert refusal(made, ask(three, 3)) == (409, "text/x.tlog.size")
    assert refusal(made, ask(three, 5, []))[0] == 400
    assert refusal(made, ask(leaves(*"abcdefg"), 5, [b"x" * 32]))[0] == 422
    assert refusal(made, ask(five, 5, [b"x" * 32]))[0] == 422
    assert refusal(made, ask(five, 5, origin="other.example/log"))[0] == 404
    assert refusal(made, ask(five, 5, key=Ed25519PrivateKey.generate()))[0] == 403
    hashes = 64 * (base64.b64encode(b"x" * 32) + b"\n")
    for nonsense in (b"", b"old 5", b"old 05\n\n" + note_of(five).encode(), b"\xff\n\n", b"old 5\nAA==\n\nx",
                     b"old 5\n" + hashes + b"\n" + note_of(five).encode()):  # fmt: skip
        assert refusal(made, nonsense)[0] == 400


def test_of_eight_at_once_only_one_history_is_signed(made: Witness) -> None:
    made.add_checkpoint(ask(leaves("a"), 0))

    def one(number: int) -> bool:
        try:
            return bool(made.add_checkpoint(ask(leaves("a", f"fork {number}"), 1)))
        except Answer:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(8))) == 1


@pytest.fixture
def serving(made: Witness) -> Iterator[str]:
    with server(made, "127.0.0.1:0") as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_address[1]}"
        served.shutdown()


@pytest.mark.django_db
def test_the_house_shows_its_checkpoints_and_serves_what_was_signed(
    client: Client,
    house: Path,
    settings: Any,
    made: Witness,
    serving: str,  # noqa: F811
) -> None:
    log = (house / "ledger.vkey").read_text().strip()
    made.logs, key = {ORIGIN: [log]}, verifier_key(made.name, made.key)
    settings.WITNESSES = f"# ours\n{key} {serving}/\n"
    write(3)
    assert witnesses.ledger_sign() == []
    write(4)
    assert witnesses.ledger_sign() == [] and LedgerCosignature.objects.count() == 2
    answer = client.get("/ledger/checkpoint").content.decode()
    assert note.verify(answer, log, [key]).seen[0].witness == key and note.verify(answer, log, strict=False).size == 7
    assert client.get("/ledger/checkpoint/3").content.decode().count("—") == 2
    assert client.get("/ledger/checkpoint/4").status_code == client.get("/ledger/checkpoint/3.tst").status_code == 404
    assert key in client.get("/.well-known/lethe-trust.json").content.decode()
    settings.WITNESSES = f"{key} http://127.0.0.1:9"
    write(1)
    assert "did not sign" in witnesses.ledger_sign()[0]
    assert checkpoints.last_signed().size == 8  # type: ignore[union-attr]
    # It is down: asked ever more rarely, shown as waiting, and it signs the newest checkpoint when it answers again.
    client.force_login(member("reader@house.example", role=Role.AUDITOR))
    waits = []
    for _ in range(7):
        assert "waits until" in witnesses.ledger_sign()[0], "left alone for a while"
        row = LedgerWitness.objects.get()
        waits.append(round((row.next_at - row.tried_at).total_seconds() / 60))
        LedgerWitness.objects.update(next_at=timezone.now())
        write(1)
        assert "did not sign" in witnesses.ledger_sign()[0]
    assert waits == [1, 2, 4, 8, 16, 32, 32]
    page = client.get("/ledger/").content.decode()
    assert "waiting, 8 tries failed" in page and "7 entries" in page and row.problem in page
    settings.WITNESSES = f"{key} {serving}/"
    LedgerWitness.objects.update(next_at=timezone.now())
    assert witnesses.ledger_sign() == []
    assert LedgerCosignature.objects.filter(checkpoint_id=15).exists()
    assert "signed the last checkpoint" in client.get("/ledger/").content.decode()
    assert witnesses.ledger_sign() == [] and LedgerWitness.objects.get().failed == 0


def test_who_trusts_the_witness_is_told_and_a_forgers_witness_counts_for_nothing() -> None:
    one, other = genuine(), forged()
    mine = witness_of(one.key)
    key = verifier_key(mine.name, mine.key)
    trusting = Trust(frozenset({one.fingerprint}), witnesses=frozenset({key}), quorum=1)
    verdict = judge(one.bundle, trusting)
    assert verdict.outcome is Outcome.GENUINE
    assert [one.state for one in verdict.findings if one.code == "witness"] == ["proved"]
    plain = judge(one.bundle, Trust(frozenset({one.fingerprint})))
    assert plain.outcome is Outcome.GENUINE and "not_proved" in {f.state for f in plain.findings if f.code == "witness"}
    strangers = Trust(frozenset({one.fingerprint, other.fingerprint}), witnesses=frozenset({key}), quorum=1)
    assert judge(other.bundle, strangers).outcome is Outcome.REFUSED
    assert judge(other.bundle, Trust(frozenset({one.fingerprint}))).outcome is Outcome.REFUSED
    text = '{"format":"lethe-trust/2","seals":[],"ledgers":[],"witnesses":["%s"],"quorum":%d}'
    assert read(text % (key, 1)).quorum == 1
    for wrong in (text % (key, 2), text % (key.replace("+", "-", 1), 0), text % (one.ledger_key, 0)):
        with pytest.raises((TrustError, Refused)):
            read(wrong)


def test_a_witness_that_is_killed_signs_no_second_history(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text(checkpoint.verifier_key(ORIGIN, LOG.public_key()) + "\n")
    arguments = ["--name", "w.example/2", "--key", str(tmp_path / "key")]
    assert main(["key", *arguments]) == 0 and main(["key", *arguments]) == 2
    command = [sys.executable, "-m", "lethe_witness", "serve", *arguments, "--state", str(tmp_path / "state"),
               "--logs", str(tmp_path / "logs"), "--listen", "127.0.0.1:0"]  # fmt: skip

    def start() -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        return process, process.stdout.readline().split()[1]

    def post(url: str, body: bytes) -> int:
        try:
            with urllib.request.urlopen(f"{url}/add-checkpoint", body, timeout=10) as answer:  # noqa: S310
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    process, url = start()
    assert post(url, ask(leaves("a", "b"), 0)) == 200
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process, url = start()
    try:
        assert post(url, ask(leaves("x", "y"), 0)) == 409
        assert post(url, ask(leaves("x", "y", "z"), 2)) == 422
        assert post(url, ask(leaves("a", "b", "c"), 2)) == 200
    finally:
        process.kill()
        process.wait()
