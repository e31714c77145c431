"""Unlearning in several processes that share one model's weights: what cannot be done so is refused beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from unlearning_engine import catalog, launching
from unlearning_engine.contracts import LINEAGE_METHODS, UnlearnSpec
from unlearning_engine.errors import ConfigError
from unlearning_engine.methods.base import ForgetConfig
from unlearning_engine.progress import Report

#: Why a method runs in one process only. What is not named here runs in several.
ALONE: Mapping[str, str] = MappingProxyType(
    {
        "undo": "it draws fresh weights for the whole model",
        "spunge": "it merges whole models",
        "newton": "it has no training loop",
        **dict.fromkeys(LINEAGE_METHODS, "an exact training gives the same bits only in one process; see workers"),
    }
)


def check(spec: UnlearnSpec, config: Any) -> None:
    """Refuse what does not run in several processes, all of it at once.

    Raises:
        ConfigError: with a message for each reason.
    """
    several, problems = f"spec.processes: {spec.processes}", []
    if spec.method in ALONE:
        problems.append(f"{several}, but {spec.method} runs in one process: {ALONE[spec.method]}")
    if spec.tune:
        problems.append("spec.tune: the search runs in one process; leave out tune or processes")
    if (
        spec.request
        or spec.prompts
        or not (spec.retain or spec.dataset or "retain set" not in catalog.METHODS[spec.method].needs)
    ):
        problems.append(f"{several}, but sampling from the model runs in one process; give forget and retain sets")
    if isinstance(config, ForgetConfig) and config.accumulate % spec.processes:
        problems.append(
            f"spec.config.accumulate: {config.accumulate} steps an update are not shared by {spec.processes} "
            "processes; say a multiple of them, and a batch_size smaller by as much"
        )
    if problems:
        raise ConfigError(problems)


def run(spec: UnlearnSpec, config: Any, out: str | Path, report: Report) -> dict[str, Any]:
    """Call `methods.unlearn` in as many processes as the spec says; the first one's metrics.

    Raises:
        ConfigError: see `check`. EngineError: see `launching.run`.
    """
    check(spec, config)
    return launching.run(("unlearning_engine.methods", "unlearn"), spec, out, report)
