"""Whoever runs a model elsewhere states what they did with a patch: taken once, by the right key, for that patch."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance import dispatch
from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import schema
from governance.models import (
    AiModel,
    Case,
    Job,
    LedgerOpening,
    Message,
    ModelVersion,
    Patch,
    PatchAcknowledgement,
    PatchPublication,
    PatchSubscriber,
    Release,
    Role,
)
from governance.policies import Actor
from governance.selectors import downstream as select
from governance.services import (
    acknowledgements,
    dossier_parts,
    feed_signing,
    key_rotation,
    known_keys,
    processing,
    subscribers,
    webhooks,
)
from lethe_verify import evidence
from tests.governance import evidence_example
from tests.governance.conftest import file_case
from tests.governance.publishing import downstream, made, model, published, signer
from tests.governance.staff import member
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.patches import acknowledging, feed, fetching
from unlearning_engine.patches.weights import Weights

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("feeds")]

People = dict[Role, Actor]
URL = "/api/v1/patches/acknowledgements/"


@dataclass
class Elsewhere:
    """Somebody who runs a model, with a key of their own."""

    key: Ed25519PrivateKey

    @property
    def public(self) -> str:
        return base64.b64encode(self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()

    @property
    def pem(self) -> str:
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def register(self, model: AiModel, people: People, **more: Any) -> PatchSubscriber:
        values = {"name": "Elsewhere", "contact": "Ada <ada@elsewhere.example>", "subscription": None, **more}
        return subscribers.subscriber_register(
            model=model, public_key=self.pem, actor=people[Role.RELEASE], **values
        )  # fmt: skip

    def says(self, publication: PatchPublication, **changed: str) -> dict[str, Any]:
        statement = {
            "kind": "lethe-patch-acknowledgement/1", "feed": known_keys.current("feed"),
            "patch": publication.patch.digest, "base": publication.base, "result": publication.result,
            "state": "applied", "at": timezone.now().isoformat(), "public_key": self.public, **changed,
        }  # fmt: skip
        signature = self.key.sign(dispatch.canonical_text(statement).encode())
        return {"statement": statement, "signature": base64.b64encode(signature).decode()}


def send(client: Client, signed: dict[str, Any]) -> tuple[int, str]:
    answer = client.post(URL, json.dumps(signed), content_type="application/json")
    return answer.status_code, answer.json().get("detail", "")


def digest(n: int) -> str:
    return f"sha256:{n:064x}"


@pytest.fixture
def publication(people: People, catalogue: dict[str, Any]) -> PatchPublication:
    """A patch that was published, by its digests alone."""
    return publish(people, catalogue["released"], 1)


def publish(people: People, before: ModelVersion, n: int) -> PatchPublication:
    after = ModelVersion.objects.create(model=before.model, revision=before.revision + 10 + n, parent=before,
                                        artifact=digest(n), method="ascent")  # fmt: skip
    job = Job.objects.create(key=f"patch:{n}", kind="engine.patch", queue="gpu")
    release = Release.objects.create(case=file_case(), version=after)
    patch = Patch.objects.create(release=release, job=job, public=True, digest=digest(n + 10), artifact=digest(n + 20))
    row = PatchPublication.objects.create(patch=patch, base=digest(100), result=digest(n + 100),
                                          proposed_by=people[Role.ENGINEER].user)  # fmt: skip
    PatchPublication.objects.filter(pk=row.pk).update(approved_by=people[Role.LEGAL].user, approved_at=timezone.now())
    row.refresh_from_db()
    return row


@pytest.fixture
def elsewhere() -> Elsewhere:
    return Elsewhere(Ed25519PrivateKey.generate())


@pytest.fixture
def registered(elsewhere: Elsewhere, people: People, catalogue: dict[str, Any]) -> PatchSubscriber:
    return elsewhere.register(catalogue["released"].model, people)


def test_a_statement_is_taken_once_and_names_nobody_in_the_ledger(
    publication: PatchPublication, registered: PatchSubscriber, elsewhere: Elsewhere, client: Client
) -> None:
    assert send(client, elsewhere.says(publication, state="fetched"))[0] == 201
    assert send(client, elsewhere.says(publication))[0] == 201
    assert send(client, elsewhere.says(publication, at=(timezone.now() + timedelta(seconds=9)).isoformat()))[0] == 200
    [fetched, applied] = PatchAcknowledgement.objects.all()
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(json.loads(applied.statement)["public_key"]))
    key.verify(base64.b64decode(applied.signature), applied.statement.encode())  # the record is evidence by itself
    body = LedgerOpening.objects.filter(entry__action="patch.acknowledged").latest("entry_id").body
    assert body["statement"] == applied.digest and body["subscriber"] == str(registered.public_id)
    entries = json.dumps(list(LedgerOpening.objects.values_list("body", flat=True)))
    assert not re.search(r"elsewhere|\bada\b", entries, re.IGNORECASE)  # as words: digests may spell three letters
    assert select.standing(publication.patch.release.version.parent).subscribers[0].state == "applied"


def test_a_replay_is_refused(
    publication: PatchPublication, registered: PatchSubscriber, elsewhere: Elsewhere, client: Client,
    people: People, catalogue: dict[str, Any],
) -> None:  # fmt: skip
    signed = elsewhere.says(publication)
    assert send(client, signed)[0] == 201
    status, why = send(client, signed)
    assert status == 409 and "was taken before" in why
    subscribers.subscriber_remove(subscriber=registered, actor=people[Role.LEGAL])
    assert send(client, signed)[0] == 403
    elsewhere.register(catalogue["released"].model, people)  # the same key, registered anew
    assert send(client, signed)[0] == 409
    for at in (timezone.now() - timedelta(days=2), timezone.now() + timedelta(hours=1)):
        status, why = send(client, elsewhere.says(publication, at=at.isoformat()))
        assert status == 422 and "not of now" in why
    status, why = send(client, elsewhere.says(publication, at=(timezone.now() - timedelta(hours=1)).isoformat()))
    assert status == 422 and "older than the publication" in why
    assert PatchAcknowledgement.objects.count() == 1


def test_a_forgery_is_refused(
    publication: PatchPublication, registered: PatchSubscriber, elsewhere: Elsewhere, client: Client
) -> None:
    stranger = Elsewhere(Ed25519PrivateKey.generate())
    assert send(client, stranger.says(publication))[0] == 403  # a key that nobody registered
    assert send(client, stranger.says(publication, public_key=elsewhere.public))[0] == 403  # another's name
    signed = elsewhere.says(publication, state="fetched")
    for name, value in (("state", "applied"), ("at", timezone.now().isoformat())):
        changed = {**signed, "statement": {**signed["statement"], name: value}}
        assert send(client, changed)[0] == 403, name
    more = {**signed, "statement": {**signed["statement"], "note": "all copies are deleted"}}
    assert send(client, more)[0] == 422
    for name, value in (("at", "\ud800"), ("patch", "\ud800"), ("patch", "\0"), ("state", "applied\n")):
        changed = {**signed, "statement": {**signed["statement"], name: value}}
        assert send(client, changed)[0] in (400, 403), name  # the form refuses the first three, and trims
        with pytest.raises(Unfit, match="all of them texts"):
            acknowledgements.acknowledge(**changed)
    assert not PatchAcknowledgement.objects.exists()


def test_a_statement_about_another_patch_is_refused(
    publication: PatchPublication, registered: PatchSubscriber, elsewhere: Elsewhere, client: Client,
    people: People, catalogue: dict[str, Any],
) -> None:  # fmt: skip
    other = publish(people, catalogue["released"], 2)
    signed = elsewhere.says(publication)
    crossed = {**signed, "statement": {**signed["statement"], "patch": other.patch.digest, "result": other.result}}
    assert send(client, crossed)[0] == 403  # the signature is over the first
    status, why = send(client, elsewhere.says(publication, patch=other.patch.digest))
    assert status == 422 and "about another one" in why
    assert "another publisher" in send(client, elsewhere.says(publication, feed="A" * 43 + "="))[1]
    assert send(client, elsewhere.says(publication, patch=digest(999)))[0] == 422
    strange = Elsewhere(Ed25519PrivateKey.generate())
    strange.register(AiModel.objects.create(name="Another model"), people)
    assert send(client, strange.says(publication))[0] == 403  # registered, but for another model
    assert not PatchAcknowledgement.objects.exists()


def test_the_door_is_limited(
    publication: PatchPublication, elsewhere: Elsewhere, client: Client, settings: Any
) -> None:
    signed = elsewhere.says(publication)
    answers = [send(client, signed)[0] for _try in range(61)]
    assert answers[59:] == [403, 429]


def test_registration(
    elsewhere: Elsewhere, registered: PatchSubscriber, people: People, catalogue: dict[str, Any], settings: Any
) -> None:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    model = catalogue["released"].model
    with pytest.raises(Conflict):
        elsewhere.register(model, people)
    with pytest.raises(Unfit, match="no Ed25519 public key"):
        subscribers.subscriber_register(model=model, name="X", contact="y", public_key="AAAA", subscription=None,
                                        actor=people[Role.RELEASE])  # fmt: skip
    deaf = webhooks.subscription_create(name="Port", url="https://127.0.0.1/x", events=["case.closed"],
                                        actor=people[Role.ADMINISTRATOR]).subscription  # fmt: skip
    with pytest.raises(Unfit, match="patch.published"):
        Elsewhere(Ed25519PrivateKey.generate()).register(model, people, subscription=deaf)
    with pytest.raises(NotAllowed):
        subscribers.subscriber_remove(subscriber=registered, actor=people[Role.ENGINEER])
    assert registered.contact == "Ada <ada@elsewhere.example>"
    told = json.dumps(processing.register())
    assert "Subscribers of patches" in told and "ada@" not in told
    subscribers.subscriber_remove(subscriber=registered, actor=people[Role.LEGAL])


def test_the_database_keeps_what_was_signed(
    publication: PatchPublication, registered: PatchSubscriber, elsewhere: Elsewhere, client: Client
) -> None:
    send(client, elsewhere.says(publication))
    rows, people = PatchAcknowledgement.objects.all(), PatchSubscriber.objects.all()
    for change in (
        lambda: rows.update(state="fetched"), rows.delete, people.delete,
        lambda: people.update(public_key="B" * 43 + "="), lambda: people.update(name="Another"),
    ):  # fmt: skip
        with pytest.raises(IntegrityError), transaction.atomic():
            change()


def test_a_report_speaks_of_the_patch_of_its_own_release(
    publication: PatchPublication, registered: PatchSubscriber, elsewhere: Elsewhere, client: Client, people: People,
    catalogue: dict[str, Any],
) -> None:  # fmt: skip
    assert send(client, elsewhere.says(publication))[0] == 201
    later = publish(people, catalogue["released"], 2)  # from the same weights, to another version
    for row, state in ((publication, "applied"), (later, "untold")):
        found = dossier_parts.downstream(row.patch.release.case)["downstream"]
        assert (found["patch"]["digest"], found["subscribers"][0]["state"]) == (row.patch.digest, state)
    other = ModelVersion.objects.create(model=catalogue["released"].model, revision=99, parent=catalogue["released"],
                                        artifact=digest(99), method="ascent")  # fmt: skip
    bare = Release.objects.create(case=file_case(), version=other)
    assert dossier_parts.downstream(bare.case)["downstream"]["patch"] is None
    assert select.standing(catalogue["released"]).publication == later


def test_a_report_tells_statements_from_before_and_after_a_new_key_of_the_feeds(
    publication: PatchPublication, registered: PatchSubscriber, elsewhere: Elsewhere, client: Client, people: People,
    catalogue: dict[str, Any],
) -> None:  # fmt: skip
    late, quay = elsewhere.says(publication, state="fetched"), Elsewhere(Ed25519PrivateKey.generate())
    quay.register(catalogue["released"].model, people, name="Quay")
    assert send(client, elsewhere.says(publication))[0] == 201
    old, new = known_keys.current("feed"), key_rotation.key_rotate("feed")
    assert send(client, quay.says(publication))[0] == 201
    assert send(client, late)[0] == 201, "signed a moment before the key was replaced"
    found = dossier_parts.downstream(publication.patch.release.case)
    assert found["downstream"]["feeds"] == sorted((old, new))
    schema.validate({**evidence_example.bare(), **found})
    assert evidence.acknowledged(found) == evidence.acknowledged(found, {old, new}) == (2, 2, 0)
    assert evidence.acknowledged(found, {new}) == (2, 1, 0)


def test_from_publication_to_evidence_and_back(
    walk: Callable[..., Case], case: Case, people: People, catalogue: dict[str, Any], settings: Any, tmp_path: Path,
    elsewhere: Elsewhere, client: Client,
) -> None:  # fmt: skip
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    patch = made(walk, case, people, settings, tmp_path)
    old = patch.release.version.parent
    assert old is not None
    hook = webhooks.subscription_create(name="Port", url="https://127.0.0.1/x", events=["patch.published"],
                                        actor=people[Role.ADMINISTRATOR]).subscription  # fmt: skip
    elsewhere.register(old.model, people)
    told = Elsewhere(Ed25519PrivateKey.generate())
    told.register(old.model, people, name="Port Archive", subscription=hook)
    Elsewhere(Ed25519PrivateKey.generate()).register(old.model, people, name="Quay")
    published(patch, people)
    feed_signing.feeds_sign()
    webhooks.webhooks_publish()
    Message.objects.filter(subscription=hook).update(state=Message.State.SENT, sent_at=timezone.now())

    key = tmp_path / "subscriber.pem"
    key.write_bytes(elsewhere.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    right = ("--trust", known_keys.current("feed"), "--signer", signer(settings), "--model", str(tmp_path / "base"))
    code, said, new = downstream(settings, tmp_path, *right, "--acknowledge", str(key), apart=True)
    assert code == 0 and [one["statement"]["state"] for one in said["acknowledged"]] == ["fetched", "applied"], said
    again = ("--trust", known_keys.current("feed"), "--model", str(new), "--key", str(key))
    assert downstream(settings, tmp_path, *again, action="acknowledge")[0] == 0  # said anew, nothing is changed
    assert PatchAcknowledgement.objects.count() == 2

    client.force_login(member("reads@house.example", role=Role.AUDITOR))
    page = client.get(reverse("version", args=[old.model.public_id, old.revision])).content.decode()
    assert "Who still runs these weights" in page and "applied there: 2 of 3." in page
    after = patch.release.version
    assert (
        "which came before"
        in client.get(reverse("version", args=[after.model.public_id, after.revision])).content.decode()
    )
    part = dossier_parts.downstream(Case.objects.get(pk=case.pk))["downstream"]
    assert [one["state"] for one in part["subscribers"]] == ["applied", "told", "untold"]
    schema.validate({**evidence_example.bare(), "downstream": part})
    word = part["subscribers"][0]
    elsewhere.key.public_key().verify(base64.b64decode(word["signature"]), word["statement"].encode())
    assert part["patch"]["digest"] == patch.digest and part["patch"]["withdrawn"] is None


def test_an_acknowledgement_that_is_not_taken_leaves_the_model_and_says_so(
    walk: Callable[..., Case], case: Case, people: People, catalogue: dict[str, Any], settings: Any, tmp_path: Path,
    elsewhere: Elsewhere,
) -> None:  # fmt: skip
    published(made(walk, case, people, settings, tmp_path), people)
    key = tmp_path / "subscriber.pem"
    key.write_bytes(elsewhere.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    right = ("--trust", known_keys.current("feed"), "--signer", signer(settings), "--model", str(tmp_path / "base"))
    code, said, new = downstream(settings, tmp_path, *right, "--acknowledge", str(key))  # nobody registered that key
    assert code == 1 and new.exists(), said
    assert (
        "the patch is applied" in said["error"]["messages"][0] and "Not signed by a key" in said["error"]["messages"][1]
    )


def test_what_is_to_be_run_later_can_be_copied_as_it_is() -> None:
    words = ["https://house.example/f.json?a=1&b=2", "my trust.json", "it's/out", "key.pem", digest(1)]
    command = fetching._again(*words)
    url, trust, out, key, patch = words
    assert shlex.split(command) == [
        "python", "-m", "unlearning_engine", "patch", "acknowledge", url, "--trust", trust, "--model", out,
        "--key", key, "--patch", patch,
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["patch", "base", "result"])
def test_what_a_feed_tells_is_printed_only_where_it_is_a_digest(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    told = {"patch": digest(1), "base": digest(2), "result": digest(3)}
    page = {"items": [{"_lethe": told}], "_lethe": {"public_key": "F"}}
    monkeypatch.setattr(feed, "read_feed", lambda _data, _keys: page)
    site = Mock(url="https://house.example/feeds/patches.json")
    assert next(feed.items(site, frozenset())) == {**told, "feed": "F", "lost": frozenset()}
    for wrong in ("\x1b[2J", digest(1) + "\n", digest(1).upper(), 5):
        monkeypatch.setitem(told, name, wrong)
        with pytest.raises(DataError, match="no patch's"):
            next(feed.items(site, frozenset()))


def test_which_of_several_patches_to_the_same_weights_was_applied_is_asked(
    tmp_path: Path, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, here, sent = tmp_path / "subscriber.pem", model(tmp_path / "model", 1), list[str]()
    key.write_bytes(elsewhere.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    told = [{"patch": digest(n), "base": digest(n + 10), "result": Weights(here).digest(), "feed": "F"} for n in (1, 2)]
    monkeypatch.setattr(acknowledging, "items", lambda _site, _keys: iter(told))
    monkeypatch.setattr(acknowledging, "send", lambda _site, _told, said: sent.append(said["statement"]["patch"]))
    state = partial(
        acknowledging.acknowledge, "https://house.example/feeds/patches.json", "A" * 43 + "=", here, str(key)
    )
    with pytest.raises(DataError, match="--patch") as caught:
        state()
    assert len(caught.value.messages) == 3 and not sent
    state(patch=digest(2))
    assert sent == [digest(2)]
    for wrong, why in ((digest(3), DataError), ("2", ConfigError)):
        with pytest.raises(why):
            state(patch=wrong)
