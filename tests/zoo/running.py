"""`make zoo`: many honest models and many cheats before the verdict, under a policy that is fixed first.

    python -m tests.zoo [--trials 42] [--families A,B] [--workers 2] [--minutes 45] [--development] [--publish]

A trial is a candidate for one forget set of one corpus. Every finished one is a line of
`var/zoo/<policy digest>/results.jsonl`; a run that was stopped goes on with what is missing. Trials count together only
where policy and code are the same. Thresholds are set on the development seeds, results come from the others.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import queue
import shutil
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.zoo import corpus, tables
from tests.zoo.families import FAMILIES, Family
from tests.zoo.trials import World, clock, shown
from unlearning_engine.policy import Policy

ROOT = Path(__file__).parents[2]
DEVELOPMENT, EVALUATION = range(21, 27), range(31, 1000)
#: What decides a trial. Documents and the web play no part.
SOURCES = (
    "unlearning_engine/*.py",
    *(f"unlearning_engine/{room}/**/*.py" for room in ("attacks", "methods", "probes", "sisa", "synthetic")),
    "tests/zoo/[cft]*.py",
    "tests/engine/cheats.py",
)
#: Modules of the engine's first room that carry jobs and answers about, and decide nothing in a trial.
CARRIERS = frozenset(
    [
        "__main__",
        "artifacts",
        "broker",
        "display",
        "flags",
        "heartbeat",
        "leniency",
        "looks",
        "probing",
        "replaying",
        "runner",
        "score_cache",
        "supervision",
        "worker",
    ]
)
#: Families with a bar, then the others.
TURNS = FIRST, SECOND = "barred", "others"
KEPT = frozenset({"corpus", "original", "reference-0", "retrain-0-0"})
#: Seconds between looks at whether the workers live.
WAIT = 30.0

Key = tuple[str, int, int, int]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run is to do."""

    seeds: tuple[int, ...]
    trials: int
    families: tuple[str, ...]
    folder: Path
    code: str
    deadline: float

    def of(self, seed: int) -> Iterator[tuple[int, Family, int]]:
        """Artist, family and repeat of each trial of a corpus, in both turns."""
        for turn in TURNS:
            yield from self.in_turn(seed, turn)

    def in_turn(self, seed: int, turn: str) -> Iterator[tuple[int, Family, int]]:
        """Families with a bar to reach get every forget set of a corpus and come first, the others get one, after.

        The last forget sets of a run that was cut short are then missed by none of the families that count.
        """
        sets = min(corpus.ARTISTS, self.trials - corpus.ARTISTS * self.seeds.index(seed))
        families = [FAMILIES[name] for name in self.families if FAMILIES[name].barred == (turn == FIRST)]
        for artist in range(sets if turn == FIRST else 1):
            for family in families:
                yield from ((artist, family, repeat) for repeat in range(family.repeats))


def code_digest() -> str:
    """Digest of every source that decides a trial."""
    state = hashlib.sha256()
    engine = ROOT / "unlearning_engine"
    found = {p for pattern in SOURCES for p in ROOT.glob(pattern)}
    for path in sorted(p for p in found if p.parent != engine or p.stem not in CARRIERS):
        state.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return "sha256:" + state.hexdigest()


def key(row: dict[str, Any]) -> Key:
    """What names a trial under one policy and one code."""
    return row["family"], row["seed"], row["artist"], row["repeat"]


def finished(folder: Path, code: str) -> list[dict[str, Any]]:
    """Trials that were done with the same code. A line cut short by a kill is passed over: its trial is done again."""
    path = folder / "results.jsonl"
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        if line.endswith("}"):
            rows.append(json.loads(line))
    return [row for row in rows if row["code"] == code]


def trial(world: World, given: Any, family: Family, repeat: int, policy: Policy) -> dict[str, Any]:
    """Make one candidate, judge it, and say in one line what came of it."""
    begun = clock()
    candidate = family.make(given, repeat)
    made = clock()
    verdict = given.judged(candidate, policy)
    return {
        "family": family.name,
        "seed": world.seed,
        "artist": given.artist,
        "repeat": repeat,
        "verdict": str(verdict.outcome),
        "findings": shown(verdict),
        "values": {p.name: [p.candidate.value, p.reference.value if p.reference else None] for p in verdict.probes},
        "cpu_making": round(made - begun, 2),
        "cpu_judging": round(clock() - made, 2),
    }


def work(plan: Plan, turns: Any, out: Any, done: set[Key]) -> None:
    """One process: takes corpora from a queue until there are none or time is up; sends rows, then None."""
    policy = Policy()
    try:
        while (given := turns.get()) is not None and time.time() < plan.deadline:
            seed, turn = given
            folder = plan.folder / "work" / plan.code.removeprefix("sha256:")[:16] / str(seed)
            world = World(folder=folder, seed=seed)
            for artist, family, repeat in plan.in_turn(seed, turn):
                if (family.name, seed, artist, repeat) in done or time.time() >= plan.deadline:
                    continue
                own = world.sharded() if family.sharded else world
                out.put({**trial(own, _forget_set(own, artist), family, repeat, policy), "code": plan.code})
            if time.time() < plan.deadline:
                _clear(folder, keep=turn == FIRST)
    except Exception:  # noqa: BLE001 - told to the run, which ends with it
        out.put(traceback.format_exc())
    out.put(None)


def _clear(folder: Path, *, keep: bool) -> None:
    """Delete a corpus's models; those that its second turn begins with are kept for it."""
    for path in folder.iterdir() if keep and folder.is_dir() else ():
        if path.name not in KEPT:
            shutil.rmtree(path, ignore_errors=True)
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)


_last: list[Any] = []


def _forget_set(world: World, artist: int) -> Any:
    """The forget set in hand, so that what was measured for it is kept; the one before is let go."""
    if not _last or (_last[0].world, _last[0].artist) != (world, artist):
        _last[:] = [world.forgetting(artist)]
    return _last[0]


def say(line: str) -> None:
    """One line to whoever watches."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run(plan: Plan, workers: int) -> list[dict[str, Any]]:
    """Do what is missing and return all trials.

    Raises:
        RuntimeError: a trial broke; with its traceback.
    """
    rows = finished(plan.folder, plan.code)
    done = {key(row) for row in rows}
    total = sum(1 for seed in plan.seeds for _ in plan.of(seed))
    context = multiprocessing.get_context("spawn")
    turns, out = context.Queue(), context.Queue()
    for one in (*((seed, turn) for turn in TURNS for seed in plan.seeds), *([None] * workers)):
        turns.put(one)
    processes = [context.Process(target=work, args=(plan, turns, out, done), daemon=True) for _ in range(workers)]
    for process in processes:
        process.start()
    begun, fresh, left, broken = time.time(), 0, workers, []
    with (plan.folder / "results.jsonl").open("a", encoding="utf-8") as lines:
        while left:
            try:
                row = out.get(timeout=WAIT)
            except queue.Empty:
                if not all(process.is_alive() or process.exitcode == 0 for process in processes):
                    raise RuntimeError("a worker was killed; run again to go on") from None
                continue
            if row is None:
                left -= 1
            elif isinstance(row, str):
                broken.append(row)
            else:
                lines.write(json.dumps(row) + "\n")
                lines.flush()
                rows.append(row)
                fresh += 1
                minutes = (time.time() - begun) / fresh * (total - len(rows)) / 60
                where, cpu = f"{row['seed']}.{row['artist']}", f"{row['cpu_making']:.0f}+{row['cpu_judging']:.0f} s"
                head = f"{len(rows)}/{total}  {row['family']:24s} corpus {where}"
                say(f"{head}  {row['verdict']:13s} {cpu}, {minutes:.0f} min left")
    for process in processes:
        process.join()
    if broken:
        raise RuntimeError("\n".join(broken))
    return rows


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.zoo", description="The verdict, measured on many models.")
    parser.add_argument("--trials", type=int, default=42, help="forget sets")
    parser.add_argument("--families", default="", help="names, comma between; all without it")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=45.0, help="no trial begins later")
    parser.add_argument("--development", action="store_true", help="seeds on which thresholds may be set")
    parser.add_argument("--publish", action="store_true", help="write docs/zoo.json and the table")
    chosen = parser.parse_args(given)
    names = [name.strip() for name in chosen.families.split(",") if name.strip()]
    if unknown := sorted(set(names) - set(FAMILIES)):
        parser.error(f"unknown families {', '.join(unknown)}; any of {', '.join(FAMILIES)}")
    if chosen.publish and chosen.development:
        parser.error("trials on development seeds are not published")
    chosen.families = tuple(names or FAMILIES)
    return chosen


def main(given: Sequence[str] = ()) -> None:
    """Fix the policy, run, print the matrix."""
    chosen = _arguments(given)
    policy = Policy()
    pool = DEVELOPMENT if chosen.development else EVALUATION
    seeds = tuple(pool[: -(-chosen.trials // corpus.ARTISTS)])
    folder = ROOT / "var" / "zoo" / policy.digest.removeprefix("sha256:")[:16]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "policy.json").write_text(json.dumps(policy.to_json(), indent=1) + "\n", encoding="utf-8")
    plan = Plan(
        seeds=seeds,
        trials=chosen.trials,
        families=chosen.families,
        folder=folder,
        code=code_digest(),
        deadline=time.time() + 60 * chosen.minutes,
    )
    say(f"policy {policy.name} {policy.version}, {policy.digest}\ncode   {plan.code}")
    say(f"corpora {seeds[0]} to {seeds[-1]}, {len(plan.families)} families, {chosen.workers} workers")
    os.environ["OMP_NUM_THREADS"] = "1"
    rows = [row for row in run(plan, chosen.workers) if row["seed"] in seeds]
    entries = tables.counted(rows)
    say(tables.table(entries))
    if chosen.publish:
        head = {"policy": policy.to_json(), "policy_digest": policy.digest, "code_digest": plan.code}
        head |= {"corpora": sorted({row["seed"] for row in rows}), "confidence": tables.CONFIDENCE}
        tables.publish(ROOT / "docs", head, entries)
