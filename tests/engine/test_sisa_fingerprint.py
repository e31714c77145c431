"""The fingerprint names what decides bits, and nothing else."""

from __future__ import annotations

import os

import pytest

from unlearning_engine.sisa.fingerprint import _KINDS, _meaning, code_digest, fingerprint


def test_comments_docstrings_and_layout_decide_nothing() -> None:
    before = 'def f(x):\n    """Words."""\n    return x + 1\n'
    assert _meaning(before) == _meaning("# Why.\ndef f( x ):\n    'Other words.'\n\n    return (x\n            + 1)\n")
    assert _meaning(before) != _meaning(before.replace("+ 1", "+ 2"))


def test_every_kind_of_workload_has_a_fingerprint_of_its_own() -> None:
    assert len({code_digest(kind) for kind in _KINDS}) == len(_KINDS)
    found = fingerprint("cpu", "language")
    assert {"code", "python", "system", "processor", "instructions", "threads", "torch"} <= set(found)
    assert all(isinstance(value, str) and value for value in found.values())


def test_switches_of_mathematics_libraries_are_named_where_they_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MKL_")]:
        monkeypatch.delenv(name)
    plain = fingerprint("cpu", "language")
    monkeypatch.setenv("MKL_NUM_THREADS", "3")  # the engine sets the number of threads itself
    assert fingerprint("cpu", "language") == plain
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    assert fingerprint("cpu", "language") == {**plain, "switches": "MKL_CBWR=COMPATIBLE"}
