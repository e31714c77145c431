"""A published patch, as somebody downstream gets it: from an empty folder, over HTTP, by one command, or not at all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import numpy as np
import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from safetensors.numpy import save_file

from governance import dispatch
from governance.errors import NotAllowed, Unfit
from governance.models import Case, Job, Patch, PatchPublication, Role, Status
from governance.policies import Actor
from governance.secrets import BASE_DIR
from governance.services import opt_out_feed, patch_feed, patches, release
from unlearning_engine.patches.making import make
from unlearning_engine.patches.weights import Weights

People = dict[Role, Actor]


def model(folder: Path, seed: int) -> Path:
    folder.mkdir(parents=True)
    values = np.random.default_rng(seed).normal(size=(64, 32)).astype(np.float32)
    save_file({"w": values, "same": np.zeros(8, np.float32)}, folder / "model.safetensors")
    (folder / "config.json").write_text('{"model_type": "llama"}')
    return folder


@pytest.fixture
def patch(walk: Callable[..., Case], case: Case, people: People, catalogue: dict[str, Any], tmp_path: Path) -> Patch:
    """A public patch of a release, really made."""
    walk(case, Status.RELEASE)
    for role in (Role.RELEASE, Role.LEGAL):
        release.release_sign(case=case, actor=people[role])
    asked = patches.patch_make(case=Case.objects.get(pk=case.pk), actor=people[Role.ENGINEER], public=True)
    manifest = make(model(tmp_path / "base", 1), model(tmp_path / "after", 2), tmp_path / "patch", public=True)
    ref = dispatch.store().put_tree(tmp_path / "patch")
    Job.objects.filter(pk=asked.job_id).update(state=Job.State.SUCCEEDED)
    size = manifest["payload"]["bytes"]
    Patch.objects.filter(pk=asked.pk).update(artifact=ref, digest=manifest["digest"], size=size)
    return Patch.objects.select_related("release__version", "job").get(pk=asked.pk)


def published(patch: Patch, people: People) -> PatchPublication:
    row = patch_feed.publication_propose(patch=patch, actor=people[Role.ENGINEER])
    return patch_feed.publication_approve(publication=row, actor=people[Role.LEGAL])


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


def downstream(settings: Any, tmp_path: Path, *more: str, change: Callable[[str, bytes], bytes] | None = None) -> Any:
    """Serve the site over HTTP, and run the one command from an empty folder; `change` is whoever sits between."""
    django = WSGIHandler()

    def between(environ: dict[str, Any], start: Any) -> list[bytes]:
        kept: list[Any] = []
        body = b"".join(django(environ, lambda *said: kept.append(said)))  # type: ignore[arg-type,misc]
        body = change(environ["PATH_INFO"], body) if change else body
        start(kept[0][0], [pair for pair in kept[0][1] if pair[0] != "Content-Length"])
        return [body]

    empty = tmp_path / "downstream"
    empty.mkdir(exist_ok=True)
    with make_server("127.0.0.1", 0, between, handler_class=_Quiet) as server:
        server.timeout = 0.2
        settings.BASE_URL, settings.ALLOWED_HOSTS = f"http://127.0.0.1:{server.server_port}", ["127.0.0.1"]
        url = settings.BASE_URL + reverse("patch_feed")
        command = [sys.executable, "-m", "unlearning_engine", "patch", "fetch-apply", url, "--out", "new", "--json",
                   *(more or ("--trust", opt_out_feed.public_key(), "--model", str(tmp_path / "base")))]  # fmt: skip
        run = subprocess.Popen(command, cwd=empty, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={"PYTHONPATH": str(BASE_DIR), "PATH": ""})  # fmt: skip
        while run.poll() is None:
            server.handle_request()
        out, _err = run.communicate()
    return run.returncode, json.loads(out), empty / "new"


def test_it_is_published_by_two_people_and_only_where_it_may_be(patch: Patch, people: People, client: Client) -> None:
    with pytest.raises(NotAllowed):
        patch_feed.publication_propose(patch=patch, actor=people[Role.LEGAL])
    row = patch_feed.publication_propose(patch=patch, actor=people[Role.ENGINEER])
    address = reverse("patch_file", args=[row.public_id, "manifest.json"])
    assert client.get(address).status_code == 404 and client.get(reverse("patch_feed")).json()["items"] == []
    with pytest.raises(NotAllowed):
        patch_feed.publication_approve(publication=row, actor=people[Role.ENGINEER])
    patch_feed.publication_approve(publication=row, actor=people[Role.LEGAL])
    assert client.get(address).status_code == 200
    assert client.get(reverse("patch_file", args=[row.public_id, "..%2Fx"])).status_code == 404
    atom = client.get(reverse("patch_feed_atom")).content.decode()
    assert patch.digest in atom and str(row.public_id) in atom
    assert patch.release.case.number not in atom + client.get(reverse("patch_feed")).content.decode()


def test_a_confidential_one_is_not(patch: Patch, people: People) -> None:
    Patch.objects.filter(pk=patch.pk).update(public=False)
    patch.refresh_from_db()
    with pytest.raises(Unfit, match="confidential"):
        patch_feed.publication_propose(patch=patch, actor=people[Role.ENGINEER])


def test_one_command_fetches_verifies_and_applies_it(
    patch: Patch, people: People, settings: Any, tmp_path: Path
) -> None:
    published(patch, people)
    code, told, made = downstream(settings, tmp_path)
    assert (code, told["patch"]) == (0, patch.digest), told
    assert Weights(made).digest() == Weights(tmp_path / "after").digest() == told["after"]


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

    for change, why in ((payload, "not the file"), (feed, "signature is wrong"), (elsewhere, "signature is wrong")):
        code, told, made = downstream(settings, tmp_path, change=change)
        assert code == 2 and why in told["error"]["messages"][0] and not made.exists(), told
    other = ("--trust", "A" * 43 + "=", "--model", str(tmp_path / "base"))
    assert "does not name" in downstream(settings, tmp_path, *other)[1]["error"]["messages"][0]
    wrong = ("--trust", opt_out_feed.public_key(), "--model", str(tmp_path / "after"))
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
