"""Whoever owns the database may take off its guards and rewrite the ledger; an earlier checkpoint tells, on both makes.

The writers are processes of their own: eight at once, some of them killed in the middle of a transaction.
"""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from governance.evidence import checkpoint, leaf, ledger, merkle
from governance.evidence.errors import ProofError
from governance.evidence.ledger_check import ledger_check
from governance.models import Case, LedgerCheckpoint, LedgerEntry, LedgerOpening, LedgerTile, SigningKey
from governance.models.triggers import drop
from governance.models.vault import subject_destroy
from governance.services import checkpoints, handovers, key_rotation, known_keys, own_keys
from tests.governance.test_ledger_tiles import write
from tests.services import servers

pytestmark = [pytest.mark.database]
WRITERS, KILLED, EACH = 8, 3, 40
OPEN = """
import json, sys, django
django.setup()
from django.core.management import call_command
from django.db import transaction
from governance.evidence import ledger
from governance.evidence.ledger_check import ledger_check
from governance.models import LedgerEntry
from governance.policies import Actor
from governance.services import checkpoints
"""
FIRST = (
    OPEN
    + """
call_command("migrate", verbosity=0)
with transaction.atomic():
    ledger.append(action="test.written", actor=Actor.system("first"))
print(json.dumps(checkpoints.checkpoint_make().note))
"""
)
WRITER = (
    OPEN
    + """
for number in range(int(sys.argv[2])):
    with transaction.atomic():
        ledger.append(action="test.written", actor=Actor.system("w" + sys.argv[1]), body={"number": number})
    print(number, flush=True)
"""
)
LAST = (
    OPEN
    + """
told = ledger_check([sys.argv[1]], {"kept": sys.argv[2]})
actors = [json.loads(bytes(one))["actor"] for one in LedgerEntry.objects.values_list("leaf", flat=True)]
print(json.dumps([told.findings, told.entries, actors, checkpoints.checkpoint_make().size]))
"""
)


def verifier(house: Path) -> str:
    return (house / "ledger.vkey").read_text().strip()


def edit(index: int) -> None:
    """The whole of an entry, so that row and hash agree again."""
    entry = LedgerEntry.objects.get(index=index)
    data = bytes(entry.leaf).replace(b"test.written", b"test.denied1")
    LedgerEntry.objects.filter(index=index).update(leaf=data, hash=merkle.leaf_hash(data), action="test.denied1")


def delete(index: int) -> None:
    LedgerOpening.objects.filter(entry_id=index).delete()
    LedgerEntry.objects.filter(index=index).delete()


def reorder(one: int, two: int) -> None:
    a, b = (LedgerEntry.objects.get(index=index) for index in (one, two))
    LedgerEntry.objects.filter(index=one).update(leaf=b.leaf, hash=b.hash)
    LedgerEntry.objects.filter(index=two).update(leaf=a.leaf, hash=a.hash)


def roll_back(size: int) -> None:
    """Also the checkpoints behind it, as a copy that was put back would."""
    LedgerOpening.objects.filter(entry_id__gte=size).delete()
    LedgerEntry.objects.filter(index__gte=size).delete()
    LedgerCheckpoint.objects.filter(size__gt=size).delete()


def fork(size: int, house: Path) -> None:
    """Another history from some entry on, with its tiles, signed anew by the owner who has the key too."""
    roll_back(size)
    LedgerTile.objects.all().delete()
    write(300 - size)
    head = LedgerCheckpoint.objects.create(size=ledger.size(), root=merkle.Tree(
        bytes(one) for one in LedgerEntry.objects.order_by("index").values_list("hash", flat=True)).root())  # fmt: skip
    key = own_keys.ledger_open(house)
    head.note = checkpoint.make_checkpoint(
        origin="lethe.localhost/ledger", size=head.size, root=bytes(head.root), key=key
    )
    head.save()


TAMPERED: dict[str, Callable[[Path], None]] = {
    "edit": lambda house: edit(3),
    "edit below a complete tile": lambda house: edit(200),
    "delete": lambda house: delete(5),
    "delete the last": lambda house: delete(279),
    "reorder": lambda house: reorder(2, 7),
    "roll back": lambda house: roll_back(270),
    "fork": lambda house: fork(100, house),
}


@pytest.mark.django_db
@pytest.mark.parametrize("what", TAMPERED)
def test_the_owner_is_caught_from_an_earlier_checkpoint(house: Path, what: str) -> None:
    write(260)
    checkpoints.checkpoint_make()
    write(20)
    kept = checkpoints.checkpoint_make().note
    assert ledger_check([verifier(house)], {"kept": kept}).findings == []
    with transaction.atomic():
        drop(connection)
    TAMPERED[what](house)
    told = ledger_check([verifier(house)], {"kept": kept})
    assert any("kept" in finding for finding in told.findings), told.findings


def own_key() -> tuple[Ed25519PrivateKey, str]:
    key = Ed25519PrivateKey.generate()
    return key, checkpoint.verifier_key("lethe.localhost/ledger", key.public_key())


def listed(how: str, key: Ed25519PrivateKey, public: str, house: Path) -> SigningKey:
    """A row that calls the owner's key one that the house replaced."""
    row = SigningKey(purpose="ledger", public=public, ended_at=timezone.now())
    if how != "bare":
        row.successor = verifier(house) if how == "names the present one" else public
        said = handovers.statement(purpose="ledger", old=public, new=row.successor, at=row.ended_at)
        row.handover = base64.b64encode(key.sign(said)).decode()
    if how == "with a real signature":
        real = SigningKey.objects.exclude(handover="").get()
        row.successor, row.handover, row.ended_at = real.successor, real.handover, real.ended_at
    return row


@pytest.mark.django_db
@pytest.mark.parametrize("how", ["bare", "names the present one", "names itself", "with a real signature"])
def test_a_key_that_the_owner_lists_in_the_database_is_not_believed(house: Path, how: str) -> None:
    """Another history, its checkpoint signed by a key of the owner's, and a row that says it was ours."""
    write(5)
    checkpoints.checkpoint_make()
    first = verifier(house)
    key_rotation.key_rotate("ledger")
    checkpoints.checkpoint_make()
    assert known_keys.known("ledger") == [first, verifier(house)] and not known_keys.strangers("ledger")
    assert check() == []
    drop(connection)
    edit(3)
    LedgerCheckpoint.objects.all().delete()
    LedgerTile.objects.all().delete()
    key, public = own_key()
    root = merkle.Tree(
        bytes(one) for one in LedgerEntry.objects.order_by("index").values_list("hash", flat=True)
    ).root()
    note = checkpoint.make_checkpoint(origin="lethe.localhost/ledger", size=ledger.size(), root=root, key=key)
    LedgerCheckpoint.objects.create(size=ledger.size(), root=root, note=note)
    listed(how, key, public, house).save()
    assert known_keys.known("ledger") == [first, verifier(house)]
    found = check()
    assert any("not signed by" in one for one in found) and any(public in one for one in found), found
    with pytest.raises(ProofError):
        known_keys.signer_of(note)


def check() -> list[str]:
    """The findings about ledger and keys, of whatever settings the server of the database has."""
    out = io.StringIO()
    with suppress(SystemExit):
        call_command("ledger", "check", stdout=out)
    return [line for line in out.getvalue().splitlines() if line.startswith("FOUND") and "may lose" not in line]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM governance_signingkey",
        "UPDATE governance_signingkey SET public = 'mine' WHERE ended_at IS NULL",
        "UPDATE governance_signingkey SET successor = 'mine' WHERE ended_at IS NOT NULL",
        "INSERT INTO governance_signingkey (purpose, public, ended_at, successor, handover) "
        "VALUES ('ledger', 'mine', CURRENT_TIMESTAMP, '', '')",
    ],
)
def test_the_list_of_keys_is_guarded(house: Path, change: str) -> None:
    key_rotation.key_rotate("ledger")
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)


def test_eight_writers_of_whom_three_are_killed_leave_one_whole_ledger(house: Path, tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/ledger.sqlite3"
    if connection.vendor == "postgresql":
        address = servers.create_database(servers.postgresql(), f"lethe_writers_{os.getpid()}")
    surroundings = {**os.environ, "LETHE_DATABASE_URL": address, "LETHE_SEAL_FOLDER": str(house)}

    def run(text: str, *arguments: str) -> Any:
        command = [sys.executable, "-c", text, *arguments]
        return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, env=surroundings).stdout)

    kept = run(FIRST)
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(one), str(EACH)], stdout=subprocess.PIPE, text=True,
                         env=surroundings) for one in range(WRITERS)
    ]  # fmt: skip
    told = []
    for one in writers[:KILLED]:
        assert one.stdout
        told.append(int(one.stdout.readline()))
        os.kill(one.pid, signal.SIGKILL)
    for number, one in enumerate(writers):
        rest = one.communicate(timeout=120)[0].split()
        if number < KILLED:
            told[number] = int(rest[-1]) if rest else told[number]
        else:
            assert rest[-1] == str(EACH - 1)
    findings, entries, actors, signed = run(LAST, verifier(house), kept)
    assert findings == [] and signed == entries >= 1 + (WRITERS - KILLED) * EACH + KILLED
    # What a writer said was committed is there, though it was killed a moment later.
    assert all(last + 1 <= actors.count(f"system:w{number}") <= EACH for number, last in enumerate(told))


def test_what_was_erased_leaves_every_proof_and_nothing_to_read(case: Case, house: Path) -> None:
    number, public = case.number, str(case.public_id)
    name, email = case.claimant.name, case.claimant.email
    signed = checkpoints.checkpoint_make()
    mine = list(case.openings.values_list("entry_id", flat=True))
    subject_destroy(case.claimant.subject)
    LedgerOpening.objects.filter(case=case).delete()
    assert ledger_check([verifier(house)]).findings == []
    leaves = [bytes(one) for one in LedgerEntry.objects.order_by("index").values_list("leaf", flat=True)]
    tree = ledger.tree(signed.size)
    for index in mine:
        merkle.verify_inclusion(leaf=merkle.leaf_hash(leaves[index]), index=index, size=signed.size,
                                proof=tree.inclusion_proof(index), root=bytes(signed.root))  # fmt: skip
    text = b"".join(leaves)
    assert not any(one.encode() in text for one in (number, public, name, email))
    # Without the key a guess cannot be checked: the commitment of the right case under any other key is another one.
    assert leaf.case_commitment(b"0" * 32, public).encode() not in text


def test_the_command_proves_checks_and_says_what_is_wrong(house: Path, case: Case, tmp_path: Path) -> None:
    signed = checkpoints.checkpoint_make()
    (tmp_path / "kept.txt").write_text(signed.note)

    def run(*arguments: str) -> str:
        out = io.StringIO()
        call_command("ledger", *arguments, stdout=out)
        return out.getvalue()

    assert '"proof"' in run("prove", case.number.lower()) and '"proof"' in run("prove", "0")
    write(1)
    assert '"old":1' in run("consistency", "1", str(signed.size))
    if connection.vendor == "sqlite":
        assert "0 findings" in run("check", "--checkpoint", str(tmp_path / "kept.txt"))
    drop(connection)
    edit_first = LedgerEntry.objects.get(index=0)
    LedgerEntry.objects.filter(index=0).update(leaf=bytes(edit_first.leaf) + b" ")
    with pytest.raises(SystemExit):
        run("check")
