"""A published patch for tests: really made, its statements signed, served over HTTP to the engine's own command."""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import numpy as np
from django.core import signals
from django.core.handlers.wsgi import WSGIHandler
from django.db import close_old_connections
from django.urls import reverse
from safetensors.numpy import save_file

from governance import dispatch, tasks
from governance.evidence import dsse
from governance.evidence.leaf import canonical
from governance.management.commands.bootstrap import make_seal
from governance.models import Case, Job, Patch, PatchPublication, Role, Status
from governance.policies import Actor
from governance.secrets import BASE_DIR
from governance.services import attestations, feed_signing, jobs, known_keys, patch_feed, patches, release
from unlearning_engine.patches import cli
from unlearning_engine.patches.making import make

People = dict[Role, Actor]


def model(folder: Path, seed: int) -> Path:
    """A small model's folder."""
    folder.mkdir(parents=True)
    values = np.random.default_rng(seed).normal(size=(64, 32)).astype(np.float32)
    save_file({"w": values, "same": np.zeros(8, np.float32)}, folder / "model.safetensors")
    (folder / "config.json").write_text('{"model_type": "llama"}')
    return folder


def made(walk: Callable[..., Case], case: Case, people: People, settings: Any, tmp_path: Path) -> Patch:
    """A public patch of a release, from `tmp_path/base` to `tmp_path/after`, with its statements signed."""
    settings.SEAL_FOLDER, settings.MODEL_VERIFIER = str(tmp_path / "seal"), tmp_path / "models.pub.pem"
    settings.SEAL_CERTIFICATE, settings.LEDGER_VERIFIER = tmp_path / "seal.crt.pem", tmp_path / "ledger.vkey"
    settings.FEED_VERIFIER = tmp_path / "feeds.pub"
    make_seal(tmp_path / "seal")
    walk(case, Status.RELEASE)
    for role in (Role.RELEASE, Role.LEGAL):
        release.release_sign(case=case, actor=people[role])
    asked = patches.patch_make(case=Case.objects.get(pk=case.pk), actor=people[Role.ENGINEER], public=True)
    manifest = make(model(tmp_path / "base", 1), model(tmp_path / "after", 2), tmp_path / "patch", public=True)
    ref = dispatch.store().put_tree(tmp_path / "patch")
    Job.objects.filter(pk=asked.job_id).update(state=Job.State.SUCCEEDED)
    size = manifest["payload"]["bytes"]
    Patch.objects.filter(pk=asked.pk).update(artifact=ref, digest=manifest["digest"], size=size)
    attestations.attestations_sweep()
    for job in Job.objects.filter(kind=attestations.KIND, state="queued"):
        jobs.job_run(job_id=str(job.pk), attempt=job.attempt, handlers=tasks.HOUSE)
    return Patch.objects.select_related("release__version", "job", "attestations").get(pk=asked.pk)


def published(patch: Patch, people: People) -> PatchPublication:
    """Published by two people."""
    row = patch_feed.publication_propose(patch=patch, actor=people[Role.ENGINEER])
    return patch_feed.publication_approve(publication=row, actor=people[Role.LEGAL])


def signer(settings: Any) -> str:
    """Fingerprint of the key that signs statements, as a stranger gets it from outside."""
    return dsse.pem_fingerprint(settings.MODEL_VERIFIER.read_bytes())


def restated(files: dict[str, bytes], folder: str, change: Callable[[str, dict[str, Any]], object]) -> dict[str, bytes]:
    """The set with each statement changed, signed anew by the key in `folder` and closed anew: a house that cheats."""
    signer, found = dsse.FileSigner(Path(folder)), dict(files)
    for name in sorted((one for one in files if one.endswith(".sigstore.json")), key=lambda one: one.startswith("set")):
        said = json.loads(base64.b64decode(json.loads(files[name])["dsseEnvelope"]["payload"]))
        if name.startswith("set"):
            others = {one: data for one, data in found.items() if one != name}
            said["predicate"]["references"] = [
                {"downloadLocation": one, "digest": {"sha256": hashlib.sha256(data).hexdigest()}}
                for one, data in sorted(others.items())
            ]
        change(name, said)
        found[name] = dsse.bundle(canonical(said), signer)
    return found


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@contextlib.contextmanager
def _connection_kept() -> Iterator[None]:
    """Django closes before and after each request what is in a transaction; here it is the test's, and it goes on."""
    ends = (signals.request_started, signals.request_finished)
    for end in ends:
        end.disconnect(close_old_connections)
    try:
        yield
    finally:
        for end in ends:
            end.connect(close_old_connections)


def downstream(
    settings: Any, tmp_path: Path, *more: str, action: str = "fetch-apply", out: str = "new", apart: bool = False,
    change: Callable[[str, bytes], bytes] | None = None,
) -> tuple[int, dict[str, Any], Path]:  # fmt: skip
    """Serve the site over HTTP and run one command of the engine: `apart` in a process of its own that has no Django.

    `more` are its arguments after the address, by default what is right; `change` is whoever sits between.
    """
    empty = tmp_path / "downstream"
    empty.mkdir(exist_ok=True)
    with _connection_kept(), make_server("127.0.0.1", 0, _between(change), handler_class=_Quiet) as server:
        server.timeout = 0.1
        settings.BASE_URL = f"http://127.0.0.1:{server.server_port}"
        settings.ALLOWED_HOSTS = ["127.0.0.1", "testserver"]
        feed_signing.feeds_sign()
        url = settings.BASE_URL + reverse("patch_feed")
        right = ("--trust", known_keys.current("feed"), "--signer", signer(settings), "--model", str(tmp_path / "base"))
        command = ["patch", action, url, "--json", *(more or right)]
        command += ["--out", str(empty / out)] if action == "fetch-apply" else []
        with ThreadPoolExecutor(1) as pool:
            run = pool.submit(_apart if apart else _here, command, empty)
            while not run.done():
                server.handle_request()
    code, said = run.result()
    return code, json.loads(said), empty / out


def _between(change: Callable[[str, bytes], bytes] | None) -> Any:
    django = WSGIHandler()

    def application(environ: dict[str, Any], start: Any) -> list[bytes]:
        kept: list[Any] = []
        with contextlib.closing(django(environ, lambda *said: kept.append(said))) as answer:  # type: ignore[arg-type,misc,type-var]
            body = b"".join(answer)
        body = change(environ["PATH_INFO"], body) if change else body
        start(kept[0][0], [pair for pair in kept[0][1] if pair[0] != "Content-Length"])
        return [body]

    return application


def _apart(command: list[str], folder: Path) -> tuple[int, str]:
    run = subprocess.run([sys.executable, "-m", "unlearning_engine", *command], cwd=folder, capture_output=True,
                         text=True, env={"PYTHONPATH": str(BASE_DIR), "PATH": ""}, check=False)  # fmt: skip
    return run.returncode, run.stdout


def _here(command: list[str], folder: Path) -> tuple[int, str]:
    said, parser = io.StringIO(), argparse.ArgumentParser()
    cli.add(parser.add_subparsers(dest="verb"))
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
        code = cli.run(parser.parse_args(command))
    return code, said.getvalue()
