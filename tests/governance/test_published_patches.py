"""A published patch, as somebody downstream gets it: from an empty folder, over HTTP, by one command, or not at all."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance import dispatch
from governance.errors import NotAllowed, Unfit
from governance.models import AttestationSet, Case, Patch, PatchPublication, Role
from governance.policies import Actor
from governance.services import attestations, feed_signing, known_keys, lost_keys, patch_feed
from lethe_verify import Outcome
from lethe_verify.statements import judge as stranger
from lethe_verify.trust import load
from tests.governance.publishing import downstream, made, published, restated, signer
from unlearning_engine.__main__ import main
from unlearning_engine.patches import statements
from unlearning_engine.patches.making import make
from unlearning_engine.patches.manifest import Altered
from unlearning_engine.patches.weights import Weights

pytestmark = pytest.mark.database

People = dict[Role, Actor]


@pytest.fixture
def patch(
    walk: Callable[..., Case], case: Case, people: People, catalogue: dict[str, Any], settings: Any, tmp_path: Path
) -> Patch:
    """A public patch of a release, really made."""
    return made(walk, case, people, settings, tmp_path)


def test_it_is_published_by_two_people_and_only_where_it_may_be(patch: Patch, people: People, client: Client) -> None:
    with pytest.raises(NotAllowed):
        patch_feed.publication_propose(patch=patch, actor=people[Role.LEGAL])
    row = patch_feed.publication_propose(patch=patch, actor=people[Role.ENGINEER])
    address = reverse("patch_file", args=[row.public_id, "manifest.json"])
    feed_signing.feeds_sign()
    assert client.get(address).status_code == 404 and client.get(reverse("patch_feed")).json()["items"] == []
    with pytest.raises(NotAllowed):
        patch_feed.publication_approve(publication=row, actor=people[Role.ENGINEER])
    patch_feed.publication_approve(publication=row, actor=people[Role.LEGAL])
    assert client.get(address).status_code == 200
    assert client.get(reverse("patch_file", args=[row.public_id, "..%2Fx"])).status_code == 404
    feed_signing.feeds_sign()
    atom = client.get(reverse("patch_feed_atom")).content.decode()
    assert patch.digest in atom and str(row.public_id) in atom
    told = client.get(reverse("patch_feed")).content.decode()
    assert patch.digest in told and patch.release.case.number not in atom + told


def test_nothing_is_published_before_its_statements_are_signed(patch: Patch, people: People) -> None:
    AttestationSet.objects.filter(patch=patch).update(artifact="")
    with pytest.raises(Unfit, match="not signed yet"):
        patch_feed.publication_propose(patch=Patch.objects.get(pk=patch.pk), actor=people[Role.ENGINEER])


def test_a_confidential_one_is_not(patch: Patch, people: People) -> None:
    Patch.objects.filter(pk=patch.pk).update(public=False)
    patch.refresh_from_db()
    with pytest.raises(Unfit, match="confidential"):
        patch_feed.publication_propose(patch=patch, actor=people[Role.ENGINEER])


def test_one_command_fetches_verifies_and_applies_it(
    patch: Patch, people: People, settings: Any, tmp_path: Path
) -> None:
    published(patch, people)
    code, told, new = downstream(settings, tmp_path, apart=True)
    assert (code, told["patch"]) == (0, patch.digest), told
    assert Weights(new).digest() == Weights(tmp_path / "after").digest() == told["after"]
    assert told["statements"] == {"signer": signer(settings), "verdicts": ["PASSED"]}


def test_a_signer_whom_nobody_named_is_no_success(
    patch: Patch, people: People, settings: Any, tmp_path: Path, client: Client
) -> None:
    published(patch, people)
    trust = tmp_path / "lethe-trust.json"
    trust.write_bytes(client.get(reverse("trust")).content)  # stands for another way than the feed
    base = ("--model", str(tmp_path / "base"))
    for more in ((), ("--signer", "0" * 64)):
        code, told, new = downstream(settings, tmp_path, "--trust", known_keys.current("feed"), *base, *more)
        assert code == 3 and "intact, signer unknown" in told["error"]["messages"][0] and not new.exists(), told
    code, told, new = downstream(settings, tmp_path, "--trust", str(trust), *base)
    assert code == 0 and new.exists(), told


def test_statements_by_a_key_in_other_hands_apply_nothing(
    patch: Patch, people: People, settings: Any, tmp_path: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thief of the models' key who can also write into the feed, and whoever reads the feed alone."""
    published(patch, people)
    trust, base, old = tmp_path / "lethe-trust.json", ("--model", str(tmp_path / "base")), signer(settings)
    before = tmp_path / "before.json"
    before.write_bytes(client.get(reverse("trust")).content)
    lost_keys.key_lose(key=old, at=timezone.now())
    trust.write_bytes(client.get(reverse("trust")).content)
    assert json.loads(trust.read_bytes())["models"] == [old], "still listed: readers have to know whose it was"

    def refused(*more: str) -> None:
        code, told, new = downstream(settings, tmp_path, *base, *more)
        assert code == 3 and "may be in other hands" in told["error"]["messages"][0] and not new.exists(), told

    feed = known_keys.current("feed")
    refused("--trust", feed, "--signer", old)  # the feed alone tells of the loss
    refused("--trust", str(before))
    with monkeypatch.context() as hidden:
        hidden.setattr(known_keys, "lost_told", dict)  # the feed hides it, the trust file from elsewhere does not
        refused("--trust", str(trust))
        refused("--trust", str(trust), "--signer", old)
        written = json.loads(trust.read_bytes())
        written["lost_keys"][0]["key"] = f"SHA256:{old.upper()}"
        trust.write_text(json.dumps(written))
        refused("--trust", str(trust))
        del written["lost_keys"][0]["purpose"]
        trust.write_text(json.dumps(written))
        code, told, new = downstream(settings, tmp_path, *base, "--trust", str(trust))
        assert code == 2 and "does not know" in told["error"]["messages"][0] and not new.exists(), told
    call_command("keys", "rotate", "--key", "models")
    assert lost_keys.renew()[1] == []
    code, told, new = downstream(settings, tmp_path, *base, "--trust", feed, "--signer", signer(settings))
    assert code == 0 and new.exists() and told["statements"]["signer"] == signer(settings) != old, told


def test_statements_that_are_not_of_this_patch_or_not_whole_are_refused(
    patch: Patch, settings: Any, tmp_path: Path
) -> None:
    """As if the publisher's feed itself were in other hands: only the key from outside is left."""
    folder, key = tmp_path / "patch", signer(settings)
    files = {name: dispatch.read_bytes(ref) for name, ref in attestations.documents(patch.attestations).items()}
    weights = Weights(tmp_path / "after").digest()
    assert statements.judge(files, folder, weights=weights, signers=[key]).signer == key

    def refused(changed: dict[str, bytes], where: Path = folder, leads_to: str = weights) -> str:
        with pytest.raises(Altered) as caught:
            statements.judge(changed, where, weights=leads_to, signers=[key])
        return caught.value.messages[0]

    assert "added or left out: README.md" in refused({**files, "README.md": files["README.md"] + b"\n"})
    [result] = [name for name in files if name.startswith("test-result")]
    assert result in refused({name: data for name, data in files.items() if name != result})
    assert "is missing" in refused({name: data for name, data in files.items() if name != "set.sigstore.json"})
    bundle = json.loads(files[result])
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"]).replace(b"PASSED", b"WARNED")
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    assert "signature" in refused({**files, result: json.dumps(bundle).encode()})
    other = make(tmp_path / "after", tmp_path / "base", tmp_path / "other", public=True) and tmp_path / "other"
    assert "about another patch" in refused(files, other)
    assert "other weights" in refused(files, leads_to=f"sha256:{hashlib.sha256().hexdigest()}")


def test_a_patch_that_came_another_way_is_held_against_its_statements_before_it_is_applied(
    patch: Patch, settings: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, sets, key = tmp_path / "patch", tmp_path / "set", signer(settings)
    sets.mkdir()
    for name, ref in attestations.documents(patch.attestations).items():
        (sets / name).write_bytes(dispatch.read_bytes(ref))

    def applied(out: str, *more: str) -> tuple[int, Any]:
        code = main(["patch", "apply", "--base", str(tmp_path / "base"), "--patch", str(folder), "--out",
                     str(tmp_path / out), "--json", *more])  # fmt: skip
        return code, json.loads(capsys.readouterr().out)

    code, told = applied("one", "--statements", str(sets), "--signer", key)
    assert code == 0 and told["statements"] == [{"signer": key, "verdicts": ["PASSED"]}]
    assert stranger(sets, load(key), model=folder, held=tmp_path / "one").outcome is Outcome.GENUINE
    assert applied("two", "--statements", str(sets))[0] == 3
    assert applied("two", "--signer", key)[0] == 2
    (folder / "run.py").write_text("1")
    code, told = applied("two", "--statements", str(sets), "--signer", key)
    assert code == 2 and "run.py: is no part" in told["error"]["messages"][0]
    (folder / "run.py").unlink()
    (sets / "README.md").unlink()
    assert applied("two", "--statements", str(sets), "--signer", key)[0] == 2
    assert not (tmp_path / "two").exists()


def test_mixed_statements_are_refused_by_both_readers_even_where_the_house_signed_them(
    patch: Patch, settings: Any, tmp_path: Path
) -> None:
    folder, key, weights = tmp_path / "patch", signer(settings), Weights(tmp_path / "after").digest()
    files = {name: dispatch.read_bytes(ref) for name, ref in attestations.documents(patch.attestations).items()}
    other, number = {"name": "weights", "digest": {"letheWeights": "0" * 64}}, itertools.count()

    def outcome(change: Callable[[str, dict[str, Any]], object]) -> Outcome:
        found = restated(files, settings.SEAL_FOLDER, change)
        where = tmp_path / f"set{next(number)}"
        where.mkdir()
        for name, data in found.items():
            (where / name).write_bytes(data)
        verdict = stranger(where, load(key), model=folder)
        if verdict.outcome is Outcome.GENUINE:
            [left] = [one.text for one in verdict.findings if one.code == "weights"]
            assert weights.removeprefix("sha256:") in left and "--weights" in left
        with contextlib.nullcontext() if verdict.outcome is Outcome.GENUINE else pytest.raises(Altered):
            statements.judge(found, folder, weights=weights, signers=[key])
        return verdict.outcome

    def of(kind: str, subjects: Callable[[list[Any]], object]) -> Callable[[str, dict[str, Any]], object]:
        return lambda name, said: said.update(subject=subjects(said["subject"])) if name.startswith(kind) else None

    assert outcome(lambda name, said: None) is Outcome.GENUINE
    for change in (
        of("", lambda subjects: [*subjects[:1], "x"]),
        of("", lambda subjects: [*subjects[:1], {"digest": ["letheWeights"]}]),
        of("test", lambda subjects: subjects[:1]),
        of("test", lambda subjects: [subjects[0], other]),
        of("test", lambda subjects: [*subjects, other]),
        of("test", lambda subjects: [subjects[0], {"digest": {**subjects[1]["digest"], "sha256": "0" * 64}}]),
        of("model", lambda subjects: [*subjects, other]),
        of("set", lambda subjects: subjects[:1]),
    ):  # fmt: skip
        assert outcome(change) is Outcome.REFUSED
    about_no_weights = restated(files, settings.SEAL_FOLDER, of("", lambda subjects: subjects[:1]))
    with pytest.raises(Altered, match="other weights"):
        statements.judge(about_no_weights, folder, weights=weights, signers=[key])


def test_whatever_was_changed_on_the_way_is_refused(
    patch: Patch, people: People, settings: Any, tmp_path: Path
) -> None:
    published(patch, people)

    def payload(path: str, body: bytes) -> bytes:
        return body[:-1] + bytes([body[-1] ^ 1]) if path.endswith(".safetensors") else body

    def feed(path: str, body: bytes) -> bytes:
        return body.replace(b"Apply it", b"Delete it") if path.endswith("patches.json") else body

    def elsewhere(path: str, body: bytes) -> bytes:
        return json.dumps({**json.loads(body), "items": []}).encode() if path.endswith("patches.json") else body

    def stated(path: str, body: bytes) -> bytes:
        return body + b" " if path.endswith("README.md") else body

    changes = ((payload, "not the file"), (feed, "signature is wrong"), (elsewhere, "signature is wrong"),
               (stated, "not the statement"))  # fmt: skip
    for change, why in changes:
        code, told, new = downstream(settings, tmp_path, change=change)
        assert code == 2 and why in told["error"]["messages"][0] and not new.exists(), told
    other = ("--trust", "A" * 43 + "=", "--model", str(tmp_path / "base"))
    assert "does not name" in downstream(settings, tmp_path, *other)[1]["error"]["messages"][0]
    wrong = ("--trust", known_keys.current("feed"), "--model", str(tmp_path / "after"))
    assert "has no patch for the weights" in downstream(settings, tmp_path, *wrong)[1]["error"]["messages"][0]


@pytest.mark.database
def test_the_database_takes_a_publication_only_from_the_roles_that_sign(patch: Patch, people: People) -> None:
    row = patch_feed.publication_propose(patch=patch, actor=people[Role.ENGINEER])
    auditor, legal = people[Role.AUDITOR].user, people[Role.LEGAL].user
    rows, now = PatchPublication.objects.filter(pk=row.pk), timezone.now()
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.update(approved_by=auditor, approved_at=now)
    with pytest.raises(IntegrityError), transaction.atomic():
        PatchPublication.objects.create(patch=patch, base=row.base, result=row.result, proposed_by=auditor)
    rows.update(approved_by=legal, approved_at=now)
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.update(result="sha256:" + "0" * 64)
