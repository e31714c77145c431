"""Time stamp authorities that answer over HTTP on this machine, made once per test process."""

from __future__ import annotations

import functools
import tempfile
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from governance.evidence import own_time, seal


@dataclass(frozen=True)
class Authority:
    """One that is running."""

    folder: Path
    url: str
    root: x509.Certificate

    @property
    def pem(self) -> bytes:
        return self.root.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.root.public_bytes(Encoding.DER)

    def asked(self) -> seal.TimeAuthority:
        return seal.TimeAuthority.at(self.url, (self.root,))

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate((self.folder / own_time.CERTIFICATE_FILE).read_bytes())


@functools.cache
def authority(
    name: str = "Meridian Loom AG",
    days: int = own_time.LEAF_DAYS,
    now: datetime | None = None,
    root_key: ec.EllipticCurvePrivateKey | None = None,
) -> Authority:
    folder = Path(tempfile.mkdtemp(prefix="lethe-time-test-")) / "time"
    own_time.create_authority(folder, name, days=days, now=now, root_key=root_key)
    server = own_time.server(folder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    root = x509.load_pem_x509_certificate((folder / own_time.ROOT_FILE).read_bytes())
    return Authority(folder, f"http://127.0.0.1:{server.server_port}/", root)
