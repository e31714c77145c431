"""A SoftHSM token in a folder of its own, made for one test process."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from governance.evidence.token_key import Token

PIN = "7391"
MODULES = ("/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
           "/usr/lib/softhsm/libsofthsm2.so")  # fmt: skip


def missing() -> str:
    """What cannot run here, or nothing."""
    return "" if shutil.which("softhsm2-util") and _module() else "SoftHSM is not installed"


def _module() -> str:
    return next((one for one in MODULES if Path(one).exists()), "")


@functools.cache
def token() -> Token:
    folder = Path(tempfile.mkdtemp(prefix="lethe-token-test-"))
    (folder / "tokens").mkdir()
    config = folder / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(config)
    command = ["softhsm2-util", "--init-token", "--free", "--label", "lethe", "--pin", PIN, "--so-pin", "12345678"]
    subprocess.run(command, check=True, capture_output=True)
    (folder / "pin").write_text(PIN + "\n")
    return Token(module=Path(_module()), label="lethe", pin_file=folder / "pin")
