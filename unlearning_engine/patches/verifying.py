"""`patch verify`: whether a patch is whole, and, where models are given, whether it is theirs in both directions."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from unlearning_engine.contracts import DIGEST
from unlearning_engine.errors import ConfigError
from unlearning_engine.patches import blocks
from unlearning_engine.patches.applying import Other, other_base, walk
from unlearning_engine.patches.manifest import Altered, Patch
from unlearning_engine.patches.streams import UNSIGNED, Malformed
from unlearning_engine.patches.weights import DTYPES, Ranges, Weights
from unlearning_engine.progress import Report, silent


@dataclass
class Verified:
    """What was checked and what is false. `digest` names the patch; it is what a seal or a ledger should hold."""

    digest: str = ""
    checked: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 nothing is false, 1 something is."""
        return 1 if self.findings else 0


def verify(
    folder: str | Path,
    *,
    base: str | Path = "",
    result: str | Path = "",
    expected: str = "",
    report: Report = silent,
) -> Verified:
    """Check a patch alone and, where they are given, against the models before and after it.

    Args:
        expected: the patch's digest as it was published; without it a patch made anew by someone else looks whole.

    Raises:
        DataError: a folder is missing, no patch, or no sound model.
        ConfigError: `expected` is no digest.
    """
    if expected and not DIGEST.match(expected):
        raise ConfigError(f"--digest: {expected!r} is none; it reads sha256: and 64 hexadecimal digits")
    found = Verified()
    try:
        patch = Patch(folder)
        found.digest = patch.digest
        found.checked.append("the manifest has its form and digest, the payload is the one that it names")
        _streams(patch)
        found.checked.append("every block can be read")
    except Altered as error:
        found.findings.extend(error.messages)
        return found
    if expected:
        found.checked.append(f"its digest is {expected}")
        if patch.digest != expected:
            found.findings.append(f"{patch.folder}: has the digest {patch.digest}, not {expected}; get the patch again")
    for model, back, said in (
        (base, False, "on the base it makes the result, bit for bit"),
        (result, True, "taken off the result it gives back the base, bit for bit"),
    ):
        if model:
            found.checked.append(said)
            found.findings.extend(_moves(patch, Weights(model), back=back, report=report))
    return found


def _moves(patch: Patch, weights: Weights, *, back: bool, report: Report) -> list[str]:
    try:
        walk(weights, [patch], back=back, report=report)
    except Other:
        return [other_base(weights, patch, back=back)]
    except Altered as error:
        return list(error.messages)
    return []


def _streams(patch: Patch) -> None:
    """Read every block, on zeros in place of a model: whether it holds what its entry says does not depend on one."""
    with Ranges(patch.folder) as ranges:
        for name, (_, tensor) in patch.tensors.items():
            width, _ = DTYPES[tensor["dtype"]]
            try:
                for block, streams in patch.blocks(name, ranges):
                    for back in (False, True):
                        blocks.move(
                            np.zeros(block["count"], UNSIGNED[width]), block, streams, tensor["dtype"], back=back
                        )
            except Malformed as error:
                raise patch.malformed(name, error) from error
