"""One sealed report per test process: making it takes seconds."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path

from governance.evidence import identity, pdf, schema, seal
from tests.governance import evidence_example as make


@dataclass(frozen=True)
class Sealed:
    folder: Path
    key: identity.FileSeal
    evidence: bytes
    base: bytes
    data: bytes

    @property
    def fingerprint(self) -> str:
        return identity.fingerprint(self.key.certificate)


@functools.cache
def sealed() -> Sealed:
    folder = Path(tempfile.mkdtemp(prefix="lethe-seal-test-")) / "seal"
    identity.create_seal_identity(folder, "Meridian Loom AG")
    key = identity.load_seal(folder)
    evidence = schema.build(make.example())
    base = pdf.render(evidence)
    return Sealed(folder, key, evidence, base, seal.seal(base, key=key))
