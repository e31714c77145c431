"""What a machine can see of a proof: a code on a page or in the DNS, a signature, the credentials of a file.

Each check returns what it saw (`Seen`) or says in one sentence why it saw nothing (`NotShown`). None of them judges
what the thing seen is worth: control of a page or a domain is not authorship.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
import struct
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

import dns.exception
import dns.name
import dns.resolver
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key, load_ssh_public_key

from governance import content_credentials, outbound

#: 130 bits in Crockford's manner: never guessed, and readable over a telephone.
CODE = re.compile(r"lethe-[0-9a-hjkmnp-tv-z]{26}")
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
#: Where the record and the files stand on the claimant's domain.
RECORD, NONCE_PATH, KEY_PATH = "_lethe-proof", "/.well-known/lethe-proof.txt", "/.well-known/lethe-key.pub"
NAMESPACE = "lethe"
PAGE_BYTES, FILE_BYTES, DNS_SECONDS = 2 * 2**20, 16 * 1024, 6.0
#: With room for the record's label: a name has at most 253 characters.
_HOST = re.compile(r"(?=.{4,240}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_AROUND = 60
_SIGNATURE_BYTES = 64


class NotShown(Exception):
    """Why the check saw nothing: `why` is a code of `proof_words`, `detail` a fact for it."""

    def __init__(self, why: str, detail: str = "") -> None:
        self.why, self.detail = why, detail[:200]
        super().__init__(why)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Evidence: where, what (an excerpt, a record, a signer), the digest of the bytes and their number."""

    where: str
    what: str
    digest: str
    size: int
    more: dict[str, Any] = field(default_factory=dict)

    def as_json(self, at: str) -> str:
        """With the time of the look."""
        return json.dumps({**asdict(self), "at": at}, ensure_ascii=False, sort_keys=True)


def new_code() -> str:
    """A code that no page can hold by chance."""
    return "lethe-" + "".join(secrets.choice(_ALPHABET) for _ in range(26))


def same(one: str, other: str) -> bool:
    """Equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


def domain_of(text: str) -> str:
    """A domain as the DNS has it; an address gives its host.

    Raises:
        NotShown: no public domain name.
    """
    bare = text.strip().lower()
    host = (urlsplit(bare if "://" in bare else f"//{bare}").hostname or "").rstrip(".")
    try:
        host = host.encode("idna").decode()
    except UnicodeError:
        host = ""
    if not _HOST.fullmatch(host):
        raise NotShown("no_domain", text)
    return host


def covers(domain: str, host: str) -> bool:
    """Whether a host is the domain or lies below it."""
    return host == domain or host.endswith(f".{domain}")


def page_code(url: str, code: str, *, networks: Sequence[str]) -> Seen:
    """The code on a public page. Redirects to another host are not followed to the end: who answers matters."""
    answer = _read(url, networks=networks, limit=PAGE_BYTES, hops=outbound.HOPS)
    if _host(answer.url) != _host(url):
        raise NotShown("elsewhere", _host(answer.url))
    text = answer.body.decode("utf-8", "replace")
    place = _find(text, code)
    excerpt = " ".join(re.sub(r"<[^<>]*>", " ", text[max(0, place - _AROUND) : place + len(code) + _AROUND]).split())
    return _seen(answer, excerpt)


def well_known(url: str, code: str, *, networks: Sequence[str]) -> Seen:
    """The code in a file of the domain: https, no redirect, a small text that is the code and nothing else."""
    answer = _read(url, networks=networks, limit=FILE_BYTES, hops=0)
    text = answer.body.decode("utf-8", "replace").strip()
    if not same(text, code):
        raise NotShown("no_code")
    return _seen(answer, text)


def _read(url: str, *, networks: Sequence[str], limit: int, hops: int) -> outbound.Answer:
    try:
        answer = outbound.get(
            url, networks=networks, limit=limit, hops=hops, plain=False, headers={"User-Agent": "Lethe-Proof/1"}
        )
    except outbound.CallFailed as error:
        raise NotShown("not_public" if "not public" in error.why else "no_answer", error.why) from error
    if answer.status != 200:
        raise NotShown("status", str(answer.status))
    return answer


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").lower().removeprefix("www.")


def _find(text: str, code: str) -> int:
    for found in CODE.finditer(text):
        if same(found.group(), code):
            return found.start()
    raise NotShown("no_code")


def _seen(answer: outbound.Answer, what: str) -> Seen:
    return Seen(where=answer.url, what=what[:400], digest=_digest(answer.body), size=len(answer.body))


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def dns_code(domain: str, code: str, *, servers: Sequence[str]) -> Seen:
    """The code in a TXT record of the domain, over TCP, which cannot be answered from beside the way; every server of
    the list must give it, so that one that was deceived does not decide."""
    name = dns.name.from_text(f"{RECORD}.{domain}")
    records: list[str] = []
    for resolver in _resolvers(servers):
        records = _txt(resolver, name)
        if not any(same(one.strip(), code) for one in records):
            raise NotShown("no_record" if not records else "no_code")
    text = "\n".join(sorted(records))
    asked = {"servers": list(servers) or ["system"]}
    where = name.to_text(omit_final_dot=True)
    return Seen(where=f"TXT {where}", what=code, digest=_digest(text.encode()), size=len(text), more=asked)


def _resolvers(servers: Sequence[str]) -> Iterable[dns.resolver.Resolver]:
    if not servers:
        yield dns.resolver.Resolver()
    for one in servers:
        resolver = dns.resolver.Resolver(configure=False)
        host, _colon, port = one.rpartition(":") if one.count(":") == 1 else (one, "", "53")
        resolver.nameservers, resolver.port = [host], int(port)
        yield resolver


def _txt(resolver: dns.resolver.Resolver, name: dns.name.Name) -> list[str]:
    try:
        found = resolver.resolve(name, "TXT", tcp=True, lifetime=DNS_SECONDS, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except dns.exception.DNSException as error:
        raise NotShown("no_dns", type(error).__name__) from error
    return [b"".join(row.strings).decode("utf-8", "replace") for row in found]


def challenge_text(number: str, target: str, code: str) -> str:
    """What is signed: bound to the case, to what is claimed and to the code, so that it serves nowhere else."""
    return f"lethe-proof {number} {target} {code}"


def published_keys(url: str, *, networks: Sequence[str], hops: int) -> tuple[Seen, list[Ed25519PublicKey]]:
    """The Ed25519 keys of a file: lines of OpenSSH, or PEM."""
    answer = _read(url, networks=networks, limit=FILE_BYTES, hops=hops)
    if _host(answer.url) != _host(url):
        raise NotShown("elsewhere", _host(answer.url))
    keys = [key for blob in _key_texts(answer.body) if (key := _key(blob))]
    if not keys:
        raise NotShown("no_key")
    return _seen(answer, f"{len(keys)} Ed25519"), keys


def _key_texts(body: bytes) -> list[bytes]:
    pem = re.findall(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", body, re.S)
    return [*pem, *(line for line in body.splitlines() if line.startswith(b"ssh-ed25519 "))][:20]


def _key(blob: bytes) -> Ed25519PublicKey | None:
    try:
        read = load_ssh_public_key if blob.startswith(b"ssh-") else load_pem_public_key
        key = read(blob)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, Ed25519PublicKey) else None


def verify_signature(text: str, pasted: str, keys: Sequence[Ed25519PublicKey]) -> str:
    """The SHA-256 of the key that signed: raw Ed25519 in Base64 (`openssl pkeyutl`), or `ssh-keygen -Y sign`."""
    ssh = re.search(r"-----BEGIN SSH SIGNATURE-----(.+?)-----END SSH SIGNATURE-----", pasted, re.S)
    try:
        data = base64.b64decode("".join((ssh.group(1) if ssh else pasted).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotShown("no_signature") from error
    # An editor that ends the file with a line break signs the same words.
    for message in (text.encode(), text.encode() + b"\n"):
        signature, signed = _sshsig(data, message) if ssh else (data, message)
        if len(signature) != _SIGNATURE_BYTES:
            raise NotShown("no_signature")
        for key in keys:
            try:
                key.verify(signature, signed)
            except InvalidSignature:
                continue
            return hashlib.sha256(key.public_bytes_raw()).hexdigest()
    raise NotShown("wrong_signature")


def _sshsig(data: bytes, message: bytes) -> tuple[bytes, bytes]:
    """Signature and signed bytes of OpenSSH's PROTOCOL.sshsig."""
    parts, rest = [], data[10:]
    if data[:6] != b"SSHSIG" or data[6:10] != struct.pack(">I", 1):
        raise NotShown("no_signature")
    try:
        for _part in range(5):
            value, rest = _string(rest)
            parts.append(value)
        _kind, inner = _string(parts[4])
        signature, _rest = _string(inner)
    except struct.error as error:
        raise NotShown("no_signature") from error
    _public, namespace, reserved, algorithm, _signature = parts
    if namespace != NAMESPACE.encode() or algorithm not in (b"sha256", b"sha512"):
        raise NotShown("no_signature")
    hashed = hashlib.new(algorithm.decode(), message).digest()
    fields = (namespace, reserved, algorithm, hashed)
    return signature, b"SSHSIG" + b"".join(struct.pack(">I", len(one)) + one for one in fields)


def _string(data: bytes) -> tuple[bytes, bytes]:
    size = struct.unpack(">I", data[:4])[0]
    if size > len(data) - 4:
        raise struct.error("short")
    return data[4 : 4 + size], data[4 + size :]


def credentials(data: bytes, kind: str, *, anchors: str = "") -> Seen:
    """The active manifest of a file, where its signature holds and it is bound to these very bytes. Who the signer is
    and whether that is the claimant is for a person to judge; `anchors` name whom this house trusts (PEM)."""
    try:
        store = content_credentials.manifest_store(data, kind, anchors=anchors)
    except content_credentials.Unreadable as error:
        raise NotShown(error.code, error.detail) from error
    manifest, state = content_credentials.active(store), str(store.get("validation_state", ""))
    signed = manifest.get("signature_info") or {}
    if content_credentials.altered(store):
        raise NotShown("altered_file")
    if state not in (content_credentials.VALID, content_credentials.TRUSTED) or not signed:
        raise NotShown("broken_credentials", state)
    trusted = state == content_credentials.TRUSTED
    more = {name: str(signed.get(name) or "")[:200] for name in ("issuer", "common_name", "time")}
    who = ", ".join(filter(None, (more["common_name"], more["issuer"])))
    listed = "on a list that this house trusts" if trusted else "on no list that this house trusts"
    more = {"state": state, "signer": listed, **more}
    return Seen(where=str(manifest.get("title") or "")[:200], what=who, digest=_digest(data), size=len(data), more=more)
