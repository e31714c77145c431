"""Loaded by pytest before Django's settings: a home of its own for every test process, with fresh secrets."""

import atexit
import os
import shutil
import signal
import tempfile
from pathlib import Path

from governance.secrets import ensure_secrets
from scripts import compile_catalogues

HOME = Path(tempfile.mkdtemp(prefix="lethe-tests-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
os.environ["LETHE_HOME"] = str(HOME)
os.environ.setdefault("OMP_NUM_THREADS", "1")
for variable in (
    "PORT",
    "LETHE_SECRETS",
    "LETHE_ARTIFACTS",
    "LETHE_BROKER",
    "LETHE_BROKER_FOLDER",
    "LETHE_SEAL_FOLDER",
):
    os.environ.pop(variable, None)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A suite that runs in the background ignores Ctrl-C, and so would every process that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
ensure_secrets(HOME / "secrets")
compile_catalogues.main()
