"""The signed statements about a published patch (in-toto in Sigstore bundles v0.3), held against the patch and a key.

A reader of its own: signatures by `cryptography`, forms as docs/signed-models.md describes them. Whom to believe comes
from outside, as the fingerprint of a key; a set that is whole but signed by another key is no success.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unlearning_engine.errors import ConfigError, DataError, EngineError
from unlearning_engine.patches.manifest import MANIFEST, PAYLOAD, Altered
from unlearning_engine.trees import hash_file

SIGNER, SET, MODEL, SUFFIX = "signer.pub.pem", "set.sigstore.json", "model.sigstore.json", ".sigstore.json"
BYTES, FILES = 8 * 2**20, 64
#: What a document of a set may be called: no path, and nothing hidden.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_BUNDLE, _PAYLOAD = "application/vnd.dev.sigstore.bundle.v0.3+json", "application/vnd.in-toto+json"
_STATEMENT = "https://in-toto.io/Statement/v1"
_KINDS = {
    MODEL: "https://model_signing/signature/v1.0",
    SET: "https://in-toto.io/attestation/reference/v0.1",
}
_RESULT = "https://in-toto.io/attestation/test-result/v0.1"


class SignerUnknown(EngineError):
    """Everything holds together, but nobody said that this key is to be believed, or it may be in other hands."""


@dataclass(frozen=True)
class Stated:
    """Who signed (fingerprint of the key), and each verdict that they state, as `PASSED`, `WARNED` or `FAILED`."""

    signer: str
    verdicts: tuple[str, ...]


def fingerprint(text: str) -> str:
    """64 hexadecimal digits from the ways in which people write a key's fingerprint, or from its PEM file.

    Raises:
        ConfigError: neither.
    """
    return _key(Path(text).read_bytes(), ConfigError)[1] if Path(text).is_file() else digits(text)


def digits(text: str) -> str:
    """64 hexadecimal digits from the ways in which people write a key's fingerprint.

    Raises:
        ConfigError: none.
    """
    plain = re.sub(r"[:\s-]", "", text.strip().lower().removeprefix("sha256:"))
    if not re.fullmatch(r"[0-9a-f]{64}", plain):
        raise ConfigError(f"--signer: {text!r} is neither a fingerprint (64 hexadecimal digits) nor a key's PEM file")
    return plain


def read_set(folder: str | Path) -> dict[str, bytes]:
    """The documents of a set that lies in a folder, by their names.

    Raises:
        DataError: no folder, something in it that is no document of a set, or too much.
    """
    place = Path(folder)
    if not place.is_dir():
        raise DataError(f"{place}: does not exist; give the folder with the statements about the patch")
    paths = sorted(place.iterdir())[: FILES + 1]
    for path in paths:
        if len(paths) > FILES or path.is_symlink() or not path.is_file() or path.stat().st_size > BYTES:
            raise DataError(f"{path}: does not belong into a set of statements")
    return {path.name: path.read_bytes() for path in paths}


def judge(
    files: Mapping[str, bytes], patch: Path, *, weights: str, signers: Iterable[str], lost: Iterable[str] = ()
) -> Stated:
    """Hold a set of statements against the folder of a patch.

    Args:
        files: each document of the set by its name. patch: folder of the patch. weights: digest of the weights that
            it leads to. signers: fingerprints of the keys that are believed. lost: of those that may be in other hands;
            statements carry no time but their signer's own, so nothing by such a key is believed.

    Raises:
        Altered: a signature is wrong, the set is not whole, or is about something else; it says what.
        SignerUnknown: all of that holds, and the key is none of `signers`, or one of `lost`.
    """
    missing = [name for name in (SIGNER, SET, MODEL) if name not in files]
    if missing:
        raise Altered(f"the statements about the patch are incomplete: {', '.join(missing)} is missing")
    key, name = _key(files[SIGNER], Altered)
    found = {one: _read(data, key, one) for one, data in files.items() if one.endswith(SUFFIX)}
    wrong = [one for one, kind in _KINDS.items() if found[one]["predicateType"] != kind]
    if wrong:
        raise Altered(f"{wrong[0]} states something else than its name says")
    _whole(files, found[SET])
    _about(found, patch, weights)
    if name in set(lost):
        raise SignerUnknown(
            "intact, but it cannot be judged: the patch and its statements hold together, signed by the key "
            f"{name}, which may be in other hands, as its publisher says; nothing shows that this was signed earlier. "
            "Nothing was applied. Wait until the publisher has signed the statements anew, with the next key"
        )
    if name not in set(signers):
        raise SignerUnknown(
            "intact, signer unknown: the patch and its statements hold together, signed by the key "
            f"{name}, which you did not name. Nothing was applied. Get the publisher's fingerprint by another way than "
            "the patch (their lethe-trust.json, paper) and give it by --signer; where a feed is read, that file by "
            "--trust does too"
        )
    results = [str(one["predicate"].get("result"))[:20] for _, one in sorted(found.items())
               if one["predicateType"] == _RESULT]  # fmt: skip
    return Stated(name, tuple(results))


def _key(data: bytes, kind: type[EngineError]) -> tuple[Any, str]:
    """A P-256 key from its PEM form, and its fingerprint."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise kind(f"the key of the statements cannot be read ({error})") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise kind("the key of the statements is no EC P-256 key")
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return key, hashlib.sha256(der).hexdigest()


def _read(data: bytes, key: Any, name: str) -> dict[str, Any]:
    """The statement in a bundle that `key` signed."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        bundle = json.loads(data)
        envelope = bundle["dsseEnvelope"]
        [signature] = envelope["signatures"]
        payload = base64.b64decode(envelope["payload"], validate=True)
        signed = base64.b64decode(signature["sig"], validate=True)
        right = bundle["mediaType"] == _BUNDLE and envelope["payloadType"] == _PAYLOAD
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise Altered(f"{name} is no signed statement ({type(error).__name__})") from error
    message = b"DSSEv1 %d %s %d %s" % (len(_PAYLOAD), _PAYLOAD.encode(), len(payload), payload)
    try:
        key.verify(signed, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise Altered(f"the signature of {name} is wrong: it was changed, or another key signed it") from error
    try:
        found = json.loads(payload)
        right = right and found["_type"] == _STATEMENT and isinstance(found["predicate"], dict)
        str(found["predicateType"]), str(found["subject"][0]["digest"]["sha256"])
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise Altered(f"{name} holds no in-toto statement") from error
    if not right:
        raise Altered(f"{name} is no statement of the form that is known here")
    return dict(found)


def _whole(files: Mapping[str, bytes], found: dict[str, Any]) -> None:
    """The set is the one that was signed as a whole."""
    try:
        named = {one["downloadLocation"]: one["digest"]["sha256"] for one in found["predicate"]["references"]}
    except (KeyError, TypeError) as error:
        raise Altered(f"{SET} does not list the set's documents") from error
    here = {name: hashlib.sha256(data).hexdigest() for name, data in files.items() if name != SET}
    changed = sorted(str(name) for name in named.keys() | here.keys() if named.get(name) != here.get(name))
    if changed:
        raise Altered(f"statements changed, swapped, added or left out: {', '.join(changed[:5])}")


def _about(found: Mapping[str, dict[str, Any]], patch: Path, weights: str) -> None:
    """All are about the patch in that folder, byte for byte, all but the list of its files also about the weights that
    it leads to, and none about anything besides.
    """
    try:
        listed = found[MODEL]["predicate"]["resources"]
        named = {str(one["name"]): str(one["digest"]) for one in listed if one["algorithm"] == "sha256"}
        root = hashlib.sha256(b"".join(bytes.fromhex(named[one]) for one in sorted(named))).hexdigest()
        said = {name: [subject["digest"] for subject in one["subject"]] for name, one in found.items()}
    except (KeyError, TypeError, ValueError) as error:
        raise Altered(f"{MODEL} does not list the patch's files, or a statement does not name its subjects") from error
    for path in sorted(patch.iterdir()):
        if path.name not in (MANIFEST, PAYLOAD) or path.is_symlink() or not path.is_file():
            raise Altered(f"{path}: is no part of the patch that was signed")
    here = {name: hash_file(patch / name).sha256 for name in (MANIFEST, PAYLOAD)}
    if other := sorted(name for name in named.keys() | here.keys() if named.get(name) != here.get(name)):
        raise Altered(f"the statements are about another patch: {', '.join(other)} is not as it was signed")
    expected = [{"sha256": root}, {"letheWeights": weights.removeprefix("sha256:")}]
    for name, subjects in said.items():
        if subjects != (expected[:1] if name == MODEL else expected):
            raise Altered(f"{name} is about another patch, or about other weights than this one leads to")
