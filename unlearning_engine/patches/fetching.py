"""`patch fetch-apply`: from a publisher's signed feed to the patched model in one step; refused where anything differs.

Only the host that the user named is called (`site`). Trust comes from outside: in the feed's key (`feed`), and in the
key that signed the statements about the patch (`statements`).
"""

from __future__ import annotations

import hashlib
import json
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from unlearning_engine.contracts import DIGEST
from unlearning_engine.errors import ConfigError, DataError, EngineError
from unlearning_engine.patches import statements
from unlearning_engine.patches.acknowledging import APPLIED, FETCHED, Subscriber, send
from unlearning_engine.patches.applying import apply
from unlearning_engine.patches.feed import find, lost_signers, trusted_keys
from unlearning_engine.patches.manifest import MANIFEST, PAYLOAD, Altered, Patch, read_manifest
from unlearning_engine.patches.site import Site
from unlearning_engine.patches.statements import fingerprint, judge
from unlearning_engine.patches.weights import Weights
from unlearning_engine.progress import Report, silent

MANIFEST_BYTES = 64 * 2**20


class NotAcknowledged(EngineError):
    """The model is there, and the publisher does not know it."""


def fetch_apply(
    url: str,
    trust: str,
    model: str | Path,
    out: str | Path,
    *,
    signer: str = "",
    patch: str = "",
    key: str = "",
    limit: int,
    report: Report = silent,
) -> dict[str, Any]:
    """Fetch the patch for `model` from the feed at `url`, verify it, and write the patched model into the folder `out`.

    Args:
        trust: see `trusted_keys`; a trust file names the keys of statements too. signer: another one, by fingerprint.
        patch: digest of the one that is wanted, of several. key: file of the key that acknowledges. limit: most bytes.

    Raises:
        ConfigError, DataError, Altered, StorageError: with the reason; nothing is left at `out`.
        SignerUnknown: all is intact, but nobody said that the key of the statements is to be believed.
        NotAcknowledged: the model is there; the publisher does not know it yet.
    """
    if patch and not DIGEST.match(patch):
        raise ConfigError(f"--patch: {patch!r} is no digest; it reads sha256: and 64 hexadecimal digits")
    keys, site, (signers, lost) = trusted_keys(trust), Site(url), trusted_signers(trust, signer)
    teller = Subscriber(key) if key else None
    if Path(out).exists():
        raise DataError(f"{out}: exists already; name a new folder")
    base = Weights(model).digest()
    told = find(site, keys, base, patch)
    if told["base"] != base:
        raise DataError(f"{model}: has the weights {base}; this patch is for {told['base']}")
    Path(out).absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch.", dir=Path(out).absolute().parent) as scratch:
        folder = Path(scratch)
        _patch(site, told, folder, limit)
        files = _statements(site, told)
        stated = judge(files, folder, weights=told["result"], signers=signers, lost=lost | told["lost"])
        sent = [_tell(site, told, teller, FETCHED)] if teller else []
        done = apply(model, [Patch(folder).folder], out, report=report)
    if teller:
        sent.append(_tell(site, told, teller, APPLIED))
    if problems := [one for one in sent if isinstance(one, str)]:
        raise NotAcknowledged([
            f"the patch is applied, {out} is there; but the publisher was not told:", *dict.fromkeys(problems),
            f"when that is mended, run: {_again(url, trust, out, key, told['patch'])}",
        ])  # fmt: skip
    acknowledged = {"acknowledged": sent} if teller else {}
    return {"model": str(out), "patch": told["patch"], "statements": asdict(stated), **asdict(done), **acknowledged}


def _again(url: str, trust: str, out: str | Path, key: str, patch: str) -> str:
    """The command that tells the publisher later, to be copied as it is."""
    words = ["acknowledge", url, "--trust", trust, "--model", str(out), "--key", key, "--patch", patch]
    return shlex.join(["python", "-m", "unlearning_engine", "patch", *words])


def trusted_signers(trust: str, signer: str) -> tuple[frozenset[str], frozenset[str]]:
    """Fingerprints of the keys whose statements are believed, and of those that may be in other hands.

    Believed are those of a trust file and one that is named. A trust file goes on listing a lost key, since readers of
    statements have to know whose it was; it is believed by neither of both ways.

    Raises:
        ConfigError: no fingerprint, or lost keys in a way that this version does not know.
    """
    told = json.loads(Path(trust).read_bytes()) if Path(trust).is_file() else {}
    try:
        lost = lost_signers(told)
    except (KeyError, TypeError) as error:
        raise ConfigError(f"--trust: {trust!r} names lost keys in a way that this version does not know") from error
    named = [*map(str, told.get("models", [])), *([signer] if signer else [])]
    return frozenset(map(fingerprint, named)) - lost, lost


def _patch(site: Site, told: Mapping[str, Any], folder: Path, limit: int) -> None:
    """The patch that the feed names, into a folder."""
    if not all(isinstance(told.get(name), str) for name in ("manifest_url", "payload_url")):
        raise DataError(f"{site.url}: does not say where the patch {told['patch']} lies; ask the publisher")
    (folder / MANIFEST).write_bytes(site.read(told["manifest_url"], MANIFEST_BYTES))
    manifest = read_manifest(folder / MANIFEST)
    said = [manifest["digest"], manifest["base"]["weights"], manifest["result"]["weights"]]
    if said != [told["patch"], told["base"], told["result"]]:
        raise Altered("the patch is not the one that the feed names; nothing was applied")
    payload = manifest["payload"]
    if payload["bytes"] > limit:
        raise DataError(f"the patch has {payload['bytes']:,} bytes, more than --limit {limit:,}")
    site.save(told["payload_url"], folder / PAYLOAD, size=payload["bytes"], sha256=payload["sha256"])


def _statements(site: Site, told: Mapping[str, Any]) -> dict[str, bytes]:
    """The documents that the feed names, by their names; it signs each by its digest."""
    listed = told.get("statements")
    if not isinstance(listed, dict) or not 0 < len(listed) <= statements.FILES:
        raise DataError(f"{site.url}: names no signed statements about the patch {told['patch']}; ask the publisher")
    found = {}
    for name, one in listed.items():
        if not statements.NAME.fullmatch(name) or not isinstance(one, dict) or not isinstance(one.get("url"), str):
            raise DataError(f"{site.url}: {name[:80]!r} is no document of a set of statements; ask the publisher")
        found[name] = site.read(one["url"], statements.BYTES)
        if f"sha256:{hashlib.sha256(found[name]).hexdigest()}" != one.get("sha256"):
            raise Altered(f"{name}: is not the statement that the feed names; nothing was applied")
    return found


def _tell(site: Site, told: Mapping[str, Any], teller: Subscriber, state: str) -> dict[str, Any] | str:
    """The statement that the publisher took; or why it was not taken, since nobody's old weights stay for that."""
    signed = teller.state(told, told["feed"], state)
    try:
        send(site, told, signed)
    except DataError as error:
        return " ".join(error.messages)
    return signed
