"""What bit identity holds for: the code, the libraries, the processor and the number of threads.

Two trainings give the same bits where every entry is equal. Elsewhere floating-point sums may be taken in
another order: then a differing replay proves nothing, and no report claims identity "bit for bit".
"""

from __future__ import annotations

import ast
import hashlib
import os
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from unlearning_engine.libraries import versions

_LIBRARIES = ("torch", "transformers", "tokenizers", "peft", "safetensors", "numpy")
#: Modules whose text decides the bits of a stage.
_CODE = (
    "checkpoints.py",
    "data.py",
    "losses.py",
    "models.py",
    "placement.py",
    "tokens.py",
    "training.py",
    "sisa/stages.py",
)
#: And those of each kind of workload.
_KINDS = {
    "language": ("sisa/language.py",),
    "adapters": ("sisa/language.py", "sisa/adapters.py"),
    "classifier": ("sisa/classifier.py", "sisa/tables.py"),
}


#: Variables by which mathematics libraries are told to add in another way, and those of them that only count threads,
#: which the engine sets itself.
_SWITCHES = ("MKL_", "ONEDNN_", "DNNL_", "ATEN_", "CUBLAS_", "CUDNN_", "TORCH_ALLOW_TF32_", "NVIDIA_TF32_")
_COUNTS = ("MKL_NUM_THREADS", "MKL_DYNAMIC", "CUBLAS_WORKSPACE_CONFIG")


@cache
def code_digest(kind: str) -> str:
    """`sha256:<hex>` over the engine's modules that decide the bits of a stage of that kind of workload."""
    root = Path(__file__).parents[1]
    state = hashlib.sha256()
    for name in (*_CODE, *_KINDS[kind]):
        state.update(f"{name}\0{_meaning((root / name).read_text(encoding='utf-8'))}\0".encode())
    return "sha256:" + state.hexdigest()


def _meaning(source: str) -> str:
    """A module's code without comments, docstrings and layout, which decide nothing."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return ast.dump(tree)


@cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def fingerprint(device: str, kind: str) -> dict[str, str]:
    """The entries that must be equal for two trainings to give the same bits.

    Args:
        kind: the workload's.
        device: as torch names it, `cpu` or `cuda:0`.
    """
    import torch

    cuda = device.startswith("cuda")
    return {
        "code": code_digest(kind),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": torch.cuda.get_device_name(device) if cuda else _processor(),
        "instructions": f"CUDA {torch.version.cuda}" if cuda else torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
        **versions(_LIBRARIES),
        **_switches(),
    }


def _switches() -> dict[str, str]:
    """One entry with the switches that are set; none, as is usual, is no entry."""
    found = {n: v for n, v in sorted(os.environ.items()) if n.startswith(_SWITCHES) and n not in _COUNTS}
    return {"switches": ", ".join(f"{name}={value}" for name, value in found.items())} if found else {}


def entries_that_differ(fingerprints: Sequence[Mapping[str, str]]) -> list[str]:
    """Names of the entries in which fingerprints are not all the same."""
    names = sorted({name for one in fingerprints for name in one})
    return [name for name in names if len({one.get(name) for one in fingerprints}) > 1]


def make_deterministic(device: str) -> None:
    """Let every operation take its deterministic form, or fail where it has none."""
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
    torch.use_deterministic_algorithms(device.startswith("cuda"))
