"""Say which pinned packages the virtual environment lacks, has in another version, or holds only in part.

Usage: check_venv.py REQUIREMENTS...; prints one `name==version` a line for the packages to install anew.
Standard library only; runs inside the virtual environment that it looks at.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

PIN = re.compile(r"^([A-Za-z0-9._-]+)(\[[^]]*\])?==([^\s;#]+)")


def pins(paths: list[str]) -> dict[str, tuple[str, str]]:
    """Normalised name -> (requirement as written, version)."""
    found = {}
    for path in paths:
        for line in Path(path).read_text().splitlines():
            if match := PIN.match(line.strip()):
                found[normalised(match[1])] = (match[0], match[3])
    return found


def normalised(name: str) -> str:
    """A package's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def incomplete(package: metadata.Distribution) -> bool:
    """Whether a file that the package's record lists is gone. Byte code comes and goes and is no loss."""
    record = package.read_text("RECORD")
    if record is None:
        return True
    base = Path(str(package.locate_file("")))
    names = (line.rsplit(",", 2)[0].strip('"') for line in record.splitlines())
    return any(not (base / name).exists() for name in names if not name.endswith(".pyc"))


def main() -> int:
    """Print what to install anew; exit 1 when there is anything."""
    wanted = pins(sys.argv[1:])
    installed = {normalised(package.name or ""): package for package in metadata.distributions()}
    bad = [
        requirement
        for name, (requirement, version) in wanted.items()
        if name not in installed or installed[name].version.split("+")[0] != version
    ]
    bad += [
        wanted[name][0] if name in wanted else f"{package.name}=={package.version}"
        for name, package in installed.items()
        if incomplete(package) and (name not in wanted or wanted[name][0] not in bad)
    ]
    sys.stdout.write("".join(f"{line}\n" for line in bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
