"""A time stamp authority of one's own (RFC 3161) around `openssl ts`: for the demo, for tests, for houses without one.

    python -m governance.evidence.own_time FOLDER [--port 3161]

It shows that our own clock said so and nothing to anybody else: a report stamped by it says so. It runs as a process of
its own with a key of its own; nothing but a hash comes in, nothing but a signed time goes out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from governance.evidence.errors import SealError

ROOT_FILE: Final = "time-root.crt.pem"
CERTIFICATE_FILE: Final = "time.crt.pem"
KEY_FILE: Final = "time.key.pem"
CONFIG_FILE: Final = "openssl.cnf"
SERIAL_FILE: Final = "serial"
#: A query is a hash with a few fields around it.
MAX_QUERY: Final = 4096
SECONDS: Final = 20
LEAF_DAYS: Final = 3653
ROOT_DAYS: Final = 7305

_CONFIG: Final = """
[tsa]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/time.crt.pem
signer_key = {folder}/time.key.pem
signer_digest = sha256
default_policy = 1.3.6.1.4.1.32473.1
digests = sha256, sha384, sha512
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


def create_authority(
    folder: Path,
    organisation: str,
    *,
    now: datetime | None = None,
    days: int = LEAF_DAYS,
    root_key: ec.EllipticCurvePrivateKey | None = None,
) -> None:
    """Writes a root, a certificate for time stamps under it, its key and what `openssl ts` wants to know.

    The root's own key is thrown away: without it nobody can make a second authority under the same root. Who gives
    one keeps it, and can revoke with it.

    Raises:
        SealError: the folder already holds an authority.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if (folder / KEY_FILE).exists():
        raise SealError(f"{folder} already holds a time stamp authority. Use it, or name another folder.")
    begin = (now or datetime.now(UTC)) - timedelta(minutes=5)
    root_key, key = root_key or ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name, name = (_name(organisation, what) for what in ("time root", "time stamps"))
    root = (
        _builder(root_name, root_name, root_key.public_key(), begin, ROOT_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(root=True), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    leaf = (
        _builder(name, root_name, key.public_key(), begin, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(root=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for path, data in (
        (ROOT_FILE, root.public_bytes(serialization.Encoding.PEM)),
        (CERTIFICATE_FILE, leaf.public_bytes(serialization.Encoding.PEM)),
        (CONFIG_FILE, _CONFIG.format(folder=folder.resolve()).encode()),
        (SERIAL_FILE, b"01\n"),
        (KEY_FILE, private),
    ):
        with os.fdopen(os.open(folder / path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)


def _name(organisation: str, what: str) -> x509.Name:
    pairs = [(NameOID.ORGANIZATION_NAME, organisation[:64]), (NameOID.COMMON_NAME, f"{organisation} {what}"[:64])]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in pairs])


def _usage(*, root: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not root, content_commitment=not root, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=root, crl_sign=root, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begin: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def answer(folder: Path, query: bytes) -> bytes:
    """The reply (DER) to a query (DER); a query that cannot be read gets the reply that RFC 3161 has for that.

    Raises:
        SealError: `openssl` is missing, or the folder is no authority.
    """
    with tempfile.TemporaryDirectory(prefix="lethe-time-") as place:
        asked, told = Path(place) / "query.tsq", Path(place) / "reply.tsr"
        asked.write_bytes(query)
        command = ["openssl", "ts", "-reply", "-config", str(folder / CONFIG_FILE), "-section", "tsa",
                   "-queryfile", str(asked), "-out", str(told)]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)  # noqa: S603
            if done.returncode == 0:
                return told.read_bytes()
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SealError(f"The time stamp authority could not answer: {error}") from error
        raise SealError(f"The time stamp authority could not answer: {done.stderr.decode(errors='replace')[-300:]}")


def server(folder: Path, port: int = 0) -> ThreadingHTTPServer:
    """An HTTP server on this machine alone (RFC 3161, 3.4); port 0 takes any. Call `serve_forever`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            if self.headers.get("Content-Type") != "application/timestamp-query" or not 0 < size <= MAX_QUERY:
                self.send_error(400, "A time stamp query (RFC 3161) is expected")
                return
            try:
                reply = answer(folder, self.rfile.read(size))
            except SealError:
                self.send_error(503, "The authority cannot answer now")
                return
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, format: str, *args: object) -> None:
            """Silent: a line for each stamp tells nobody anything."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main(arguments: list[str] | None = None) -> int:
    """The process: makes its key where there is none, then answers."""
    parser = argparse.ArgumentParser(prog="python -m governance.evidence.own_time", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--organisation", default="The operator of this installation")
    parser.add_argument("--port", type=int, default=3161)
    chosen = parser.parse_args(arguments)
    if not (chosen.folder / KEY_FILE).exists():
        create_authority(chosen.folder, chosen.organisation)
    server(chosen.folder, chosen.port).serve_forever()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
