"""Builds the stranger's verifier as one file, `dist/lethe-verify.pyz`, with its digest beside it in the form of
`sha256sum`: the same sources give the same bytes.

python scripts/verifier.py [FOLDER]      then: python dist/lethe-verify.pyz FILE --trust lethe-trust.json
"""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHEBANG = b"#!/usr/bin/env python3\n"
START = b"from lethe_verify.__main__ import main\nraise SystemExit(main())\n"


def build(folder: Path) -> Path:
    """Write the file; no dates, no compression, names in order."""
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / "lethe-verify.pyz"
    files = {f"lethe_verify/{path.name}": path.read_bytes() for path in sorted((ROOT / "lethe_verify").glob("*.py"))}
    with made.open("wb") as file:
        file.write(SHEBANG)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, data in {**files, "__main__.py": START}.items():
                info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
                info.create_system, info.external_attr = 3, 0o644 << 16
                archive.writestr(info, data)
    made.chmod(0o755)
    digest = hashlib.sha256(made.read_bytes()).hexdigest()
    made.with_suffix(".pyz.sha256").write_text(f"{digest}  {made.name}\n")
    return made


def main() -> int:
    """Build it and say its digest."""
    made = build(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist")
    sys.stdout.write(f"{made}  sha256:{hashlib.sha256(made.read_bytes()).hexdigest()}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
