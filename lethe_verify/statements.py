"""Signed statements about a model or a patch: who signed them, whether the set is whole, and whether it is this folder.

A set is a folder of in-toto statements in Sigstore bundles v0.3, a model card, a bill of materials and the public key.
Trust comes from outside: the key's fingerprint.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from pathlib import Path
from typing import Any, Final

from lethe_verify import ec, folder, jcs, weights
from lethe_verify.errors import Refused
from lethe_verify.judge import UNREADABLE
from lethe_verify.trust import Trust
from lethe_verify.verdict import Finding, Outcome, Verdict

SIGNER: Final = "signer.pub.pem"
SET: Final = "set.sigstore.json"
MODEL: Final = "model.sigstore.json"
SUFFIX: Final = ".sigstore.json"
#: What a folder with a patch has and one with a model has not.
PATCH: Final = "patch.safetensors"
FILES, BYTES = 64, 8 * 1024 * 1024
_BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD: Final = "application/vnd.in-toto+json"
_STATEMENT: Final = "https://in-toto.io/Statement/v1"
_REFERENCE: Final = "https://in-toto.io/attestation/reference/v0.1"
_MODEL: Final = "https://model_signing/signature/v1.0"
_RESULT: Final = "https://in-toto.io/attestation/test-result/v0.1"
_SIMPLE: Final = "https://in-toto.io/attestation/svr/v0.1"
#: id-ecPublicKey with the curve P-256, as a SubjectPublicKeyInfo begins.
_SPKI: Final = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")


def judge(place: Path, trust: Trust, *, model: Path | None = None, held: Path | None = None) -> Verdict:
    """Judge a set of statements and, where they are given, hold folders against it.

    Args:
        model: the model or patch whose files were signed. held: a model with the weights, in whatever files.
    """
    verdict = Verdict(kind="statements")
    try:
        files = _files(place)
        verdict.sha256 = hashlib.sha256(files[SET]).hexdigest() if SET in files else ""
        key, verdict.fingerprint = _key(files)
        said = _judged(files, key, verdict)
        if model is None:
            verdict.open("model", "That a folder is the one spoken of: none was given; name it by --model.")
        else:
            signed = _held(model, files, key, verdict)
            if said and held is None:
                _weights_of(model, signed, said, verdict)
        if held is not None:
            _weighed(held, said, verdict)
        elif model is None and said:
            verdict.open("weights", f"That weights have the digest {said}, which the statements name: no folder was "
                                    f"given; name it by --weights.")  # fmt: skip
    except Refused as error:
        verdict.findings.append(Finding(error.code, "refused", error.text))
        return verdict
    except UNREADABLE as error:
        text = f"The statements cannot be read ({type(error).__name__})."
        verdict.findings.append(Finding("format", "refused", text))
        return verdict
    verdict.open("measurements", "That the measurements are right, and that nothing but them was left in the weights.")
    _signer(verdict, trust)
    return verdict


def _signer(verdict: Verdict, trust: Trust) -> None:
    """Whose key it is, and whether it was lost: no statement carries a time that its own key did not sign."""
    lost = trust.lost.get(verdict.fingerprint)
    if verdict.fingerprint not in trust.models:
        verdict.open("signer", "Who signed: the key is none that you named.")
        verdict.outcome = Outcome.UNKNOWN_SIGNER
    elif lost:
        verdict.undecided("lost_key", f"The key that signed may be in other hands since {lost.isoformat()}, and a "
                                      f"statement names no time but its signer's own. Ask the issuer for statements "
                                      f"that the next key signed.")  # fmt: skip
        verdict.outcome = Outcome.UNDECIDED
    else:
        verdict.proved("signer", "The key that signed is the one that you trust.")
        verdict.outcome = Outcome.GENUINE


def _files(place: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path in sorted(place.iterdir()):
        if path.is_symlink() or not path.is_file() or len(found) == FILES:
            raise Refused("set", f"{path.name!r} does not belong into a set of statements.")
        with path.open("rb") as file:
            data = file.read(BYTES + 1)
        if len(data) > BYTES:
            raise Refused("size", f"{path.name!r} is larger than any of ours.")
        found[path.name] = data
    missing = [name for name in (SIGNER, SET, MODEL) if name not in found]
    if missing:
        raise Refused("set", f"The set is incomplete: {', '.join(missing)} is missing.")
    return found


def _key(files: dict[str, bytes]) -> tuple[ec.Point, str]:
    text = re.fullmatch(rb"-----BEGIN PUBLIC KEY-----\s(.+)-----END PUBLIC KEY-----\s*", files[SIGNER], re.S)
    try:
        data = base64.b64decode(b"".join(text.group(1).split()), validate=True) if text else b""
    except binascii.Error:
        data = b""
    if not data.startswith(_SPKI) or len(data) != len(_SPKI) + 65:
        raise Refused("key", f"{SIGNER} is no P-256 public key in PEM.")
    return ec.point(ec.P256, data[len(_SPKI) :]), hashlib.sha256(data).hexdigest()


def read_statement(data: bytes, key: ec.Point, name: str) -> dict[str, Any]:
    """The statement in a bundle that `key` signed; every other form of it is refused."""
    bundle = jcs.parse(data, name)
    try:
        envelope = bundle["dsseEnvelope"]
        [signature] = envelope["signatures"]
        payload = base64.b64decode(envelope["payload"], validate=True)
        signed = base64.b64decode(signature["sig"], validate=True)
        right = (
            set(bundle) == {"mediaType", "verificationMaterial", "dsseEnvelope"}
            and bundle["mediaType"] == _BUNDLE
            and set(envelope) == {"payload", "payloadType", "signatures"}
            and envelope["payloadType"] == _PAYLOAD
            and set(signature) == {"sig", "keyid"}
            and base64.b64encode(payload).decode() == envelope["payload"]
            and base64.b64encode(signed).decode() == signature["sig"]
        )
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise Refused("bundle", f"{name} is no Sigstore bundle of ours.") from error
    if not right:
        raise Refused("bundle", f"{name} is no Sigstore bundle of ours.")
    message = b"DSSEv1 %d %s %d %s" % (len(_PAYLOAD), _PAYLOAD.encode(), len(payload), payload)
    try:
        genuine = ec.verify(ec.P256, key, hashlib.sha256(message).digest(), signed)
    except Refused as error:
        raise Refused("signature", f"The signature of {name} has not its form.") from error
    if not genuine:
        raise Refused("signature", f"The signature of {name} is wrong: it was changed, or another key signed it.")
    found = jcs.parse(payload, f"The statement in {name}")
    if found.get("_type") != _STATEMENT or not isinstance(found.get("predicate"), dict):
        raise Refused("statement", f"{name} holds no in-toto statement.")
    return found


def _judged(files: dict[str, bytes], key: ec.Point, verdict: Verdict) -> str:
    """Every bundle is signed, they are about one thing, and the set is the one that was signed as a whole.

    Returns the digest of the weights that they name; empty where they name none.
    """
    found = {name: read_statement(data, key, name) for name, data in files.items() if name.endswith(SUFFIX)}
    if found[MODEL].get("predicateType") != _MODEL or found[SET].get("predicateType") != _REFERENCE:
        raise Refused("statement", f"{MODEL} or {SET} states something else than its name says.")
    _about_one(found)
    _whole(files, found[SET])
    verdict.proved(
        "set", "The set of statements is whole: each document is the one that was signed, and none is missing."
    )
    verdict.report = {"number": str(found[MODEL]["subject"][0].get("name", "")), "issuer": _issuer(found[SET])}
    for name, one in sorted(found.items()):
        _told(name, one, verdict)
    if not any(one.get("predicateType") == _RESULT for one in found.values()):
        verdict.open("tested", "Any verdict: nothing about a verification is stated.")
    return next((str(one["letheWeights"]) for one in _subjects(found[SET], SET)[1:]), "")


def _about_one(found: dict[str, dict[str, Any]]) -> None:
    """The list of files is about the folder; every other statement is about that, about its weights, and no more."""
    said = {name: _subjects(one, name) for name, one in found.items()}
    expected = [*said.pop(MODEL), *said[SET][1:]]
    if [set(one) for one in expected] not in ([{"sha256"}], [{"sha256"}, {"letheWeights"}]):
        raise Refused("subject", f"{MODEL} or {SET} is about something else than a folder and its weights.")
    if strange := [name for name, subjects in said.items() if subjects != expected]:
        raise Refused("subject", f"{', '.join(strange)} is about another model or patch, or about other weights.")


def _subjects(found: dict[str, Any], name: str) -> list[dict[str, str]]:
    try:
        digests = [one["digest"] for one in found["subject"]]
    except (KeyError, TypeError) as error:
        raise Refused("statement", f"{name} names no subject.") from error
    if not all(isinstance(one, dict) for one in digests):
        raise Refused("statement", f"{name} names a subject without its digest.")
    return digests


def _issuer(found: dict[str, Any]) -> str:
    attester = found["predicate"].get("attester")
    return str(attester.get("id", "")) if isinstance(attester, dict) else ""


def _whole(files: dict[str, bytes], found: dict[str, Any]) -> None:
    try:
        named = {one["downloadLocation"]: one["digest"]["sha256"] for one in found["predicate"]["references"]}
    except (KeyError, TypeError) as error:
        raise Refused("set", f"{SET} does not list the set's documents.") from error
    here = {name: hashlib.sha256(data).hexdigest() for name, data in files.items() if name != SET}
    changed = sorted(str(name) for name in named.keys() | here.keys() if named.get(name) != here.get(name))
    if changed:
        raise Refused("set", f"Changed, swapped, added or left out: {', '.join(changed[:5])}.")


def _told(name: str, found: dict[str, Any], verdict: Verdict) -> None:
    """What the issuer states, in words; that it is stated is proved, not that it is true."""
    predicate = found["predicate"]
    if found["predicateType"] == _RESULT:
        said = json.dumps(predicate.get("result"))
        failed = ", ".join(map(str, predicate.get("failedTests", []))) or "none"
        verdict.proved("stated", f"The issuer states in {name}: result {said}; probes that failed: {failed}.")
    if found["predicateType"] == _SIMPLE:
        said = ", ".join(map(str, predicate.get("properties", [])))
        verdict.proved("stated", f"The issuer states in {name}: {said}.")


def _held(model: Path, files: dict[str, bytes], key: ec.Point, verdict: Verdict) -> set[str]:
    """The folder has exactly the files that were signed; returns their digests."""
    found = read_statement(files[MODEL], key, MODEL)
    try:
        listed = [one for one in found["predicate"]["resources"] if one["algorithm"] == "sha256"]
        named = {str(one["name"]): str(one["digest"]) for one in listed}
        whole = hashlib.sha256(b"".join(bytes.fromhex(named[name]) for name in sorted(named))).hexdigest()
    except (KeyError, TypeError, ValueError) as error:
        raise Refused("model", f"{MODEL} does not list the folder's files.") from error
    if [{"sha256": whole}] != _subjects(found, MODEL) or len(named) != len(listed):
        raise Refused("model", f"The files that {MODEL} lists do not have the digest that it names.")
    if problems := folder.differences(named, folder.digests(model)):
        more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise Refused("model", f"This is not the folder that was signed: {'; '.join(problems[:5])}{more}. Whether it "
                               f"holds the same weights in other files, --weights tells.")  # fmt: skip
    verdict.proved("model", f"The folder has exactly the {len(named)} files that were signed, byte for byte.")
    return set(named.values())


def _weighed(place: Path, said: str, verdict: Verdict) -> None:
    """The folder holds the weights that the statements name, in whatever files."""
    if not said:
        raise Refused("weights", "The statements name no weights; hold the folder against their list, by --model.")
    _same(weights.digest(place), said, verdict)
    verdict.open("beside", "That the other files of the folder given by --weights are those of that model.")


def _same(found: str, said: str, verdict: Verdict) -> None:
    if found != said:
        raise Refused("weights", f"These are other weights: they have the digest {found}, and the statements are "
                                 f"about {said}.")  # fmt: skip
    verdict.proved("weights", f"These weights are the ones that the statements are about: their digest is {said}, "
                              f"computed here.")  # fmt: skip


def _weights_of(place: Path, signed: set[str], said: str, verdict: Verdict) -> None:
    """The weights of the folder whose files were just found to be the signed ones.

    A patch is about the weights that it leads to, which do not lie in it. The head of a classifier was named by the
    digest of its one file.
    """
    if said in signed:
        verdict.proved("weights", f"The weights are the file with the digest {said}, which the statements name too.")
        return
    missing = f"That weights have the digest {said}, which the statements name: "
    if (place / PATCH).is_file():
        verdict.open("weights", f"{missing}this is the patch; hold the model that it leads to against it by --weights.")
        return
    try:
        found = weights.digest(place)
    except Refused as error:
        verdict.open("weights", f"{missing}{error.text}")
        return
    _same(found, said, verdict)
