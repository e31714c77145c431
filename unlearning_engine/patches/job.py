"""`patch-make` as a job: the folder `patch` beside the job's result. The same as `patch make` by hand."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from unlearning_engine.contracts import PatchSpec
from unlearning_engine.patches.making import make
from unlearning_engine.progress import Report

FOLDER = "patch"


def make_patch(spec: PatchSpec, out: Path, report: Report) -> dict[str, Any]:
    """Write the patch and return what names it: its digest, both weights digests, its size.

    Raises:
        DataError: see `making.make`.
    """
    shutil.rmtree(out / FOLDER, ignore_errors=True)
    made = make(spec.base, spec.model, out / FOLDER, public=spec.public, report=report)
    return {
        "digest": made["digest"],
        "confidential": made["confidential"],
        "base": made["base"]["weights"],
        "result": made["result"]["weights"],
        "bytes": made["payload"]["bytes"],
        "summary": made["summary"],
    }
