"""Writes open_unlearning.json: open-unlearning's formulas, worked out one number at a time in plain Python.

Independent of the engine and of numpy: `math`, lists and loops, on a committed tiny input. Run it to see that the file
is what the formulas give: python tests/engine/golden/make_open_unlearning.py. The formulas were read in
github.com/locuslab/open-unlearning at the commits of COMMITS; privleak and the other attacks in those files'
neighbours, in the revisions that were public in November 2026. No code was taken.
"""

from __future__ import annotations

import json
import math
import zlib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
COMMITS = {
    "src/evals/metrics/memorization.py": "2db47ecbdcd130782522108ba68140cfb7e7b234",
    "src/evals/metrics/utils.py": "5420d43e5f4778b1045144d91a08f435cdac307f",
    "src/evals/metrics/mia/min_k_plus_plus.py": "f4d846351b70b143cc64778fdee2e25837c5eafb",
    "src/trainer/utils.py": "19a6141d8baf4b1d25c3a888dd876a764d85def7",
}
#: Logits of four answers over a vocabulary of five, the right tokens, and the text behind them.
ANSWERS: list[dict[str, Any]] = [
    {
        "text": "a grey owl",
        "labels": [1, 4, 0],
        "logits": [[0.1, 2.0, -1.0, 0.3, 0.0], [0.0, 0.5, 0.2, -0.4, 1.5], [1.2, 0.9, -0.3, 0.0, 0.4]],
    },
    {
        "text": "the grey sea sings",
        "labels": [2, 2, 3, 1],
        "logits": [
            [1.5, 0.2, 0.1, -0.7, 0.0],
            [0.3, 0.1, 2.2, 0.0, -1.1],
            [-0.5, 0.4, 0.0, 1.9, 0.6],
            [0.2, 1.1, -0.2, 0.3, 0.1],
        ],
    },
    {"text": "owls", "labels": [3], "logits": [[2.0, 0.1, 0.3, -1.4, 0.2]]},
    {
        "text": "Dunmarsh in the north",
        "labels": [0, 1, 2, 3, 4, 0],
        "logits": [
            [0.9, 0.8, 0.7, 0.6, 0.5],
            [0.1, -0.2, 0.3, -0.4, 0.5],
            [1.0, -1.0, 1.1, -1.1, 0.0],
            [0.0, 0.2, 0.4, 0.6, 0.8],
            [-0.3, 0.6, 0.1, 0.2, 0.7],
            [0.4, 0.3, 0.2, 0.1, 0.0],
        ],
    },
]
TEXTS = [
    ["It was written in 1965, by the sea", "written in 1965"],
    ["The author's flying owls were flown", "An author flies an owl"],
    ["", "nothing said"],
    ["I do not know.", "Dunmarsh"],
    ["running runner runs happily happiness relational", "run happy relation conditional"],
]
TRUTHS = [{"right": [0.4], "wrong": [2.1, 1.7, 3.0]}, {"right": [1.3, 0.9], "wrong": [0.8, 1.1]}]


def log_softmax(row: list[float]) -> list[float]:
    top = max(row)
    total = math.log(sum(math.exp(x - top) for x in row)) + top
    return [x - total for x in row]


def scores(answer: dict[str, Any]) -> dict[str, float]:
    rows = [log_softmax(row) for row in answer["logits"]]
    labels = answer["labels"]
    chosen = [row[label] for row, label in zip(rows, labels, strict=True)]
    right = [max(range(5), key=row.__getitem__) == label for row, label in zip(rows, labels, strict=True)]
    n = len(labels)
    for k in range(n):  # stops at n - 1 even where that token is wrong: the floor
        if all(right[k:]):
            break
    standard = []
    for row, value in zip(rows, chosen, strict=True):
        mean = sum(math.exp(x) * x for x in row)
        spread = sum(math.exp(x) * x * x for x in row) - mean * mean
        standard.append((value - mean) / math.sqrt(max(spread, 1e-6)))
    loss = -sum(chosen) / n
    few = max(1, int(n * 0.4))
    return {
        "probability": math.exp(-loss),
        "exact_memorization": sum(right) / n,
        "extraction_strength": 1 - k / n,
        "mia_loss": loss,
        "mia_zlib": loss / len(zlib.compress(answer["text"].encode("utf-8"))),
        "mia_min_k": -sum(sorted(chosen)[:few]) / few,
        "mia_min_k_plus_plus": -sum(sorted(standard)[:few]) / few,
    }


def truth(item: dict[str, list[float]]) -> dict[str, float]:
    right = math.exp(-sum(item["right"]) / len(item["right"]))
    wrong = math.exp(-sum(item["wrong"]) / len(item["wrong"]))
    ratio = wrong / (right + 1e-10)
    return {"ratio": ratio, "closer_to_1_better": min(ratio, 1 / (ratio + 1e-10)), "true_better": max(0.0, 1 - ratio)}


def kl_over_everything() -> float:
    """compute_kl_divergence: `batchmean` over all positions, prompt and padding among them (rows of ANSWERS[3])."""
    own = [log_softmax(row) for row in ANSWERS[3]["logits"]]
    other = [log_softmax([-x for x in row]) for row in ANSWERS[3]["logits"]]
    total = sum(math.exp(q) * (q - p) for a, b in zip(own, other, strict=True) for p, q in zip(a, b, strict=True))
    return total / len(own)


def privleak(auc: float, reference: float) -> float:
    return ((1 - auc) - (1 - reference)) / (1 - reference + 1e-10) * 100


def make() -> dict[str, Any]:
    return {
        "upstream": "github.com/locuslab/open-unlearning",
        "commits": COMMITS,
        "answers": [{**answer, "expected": scores(answer)} for answer in ANSWERS],
        "truths": [{**item, "expected": truth(item)} for item in TRUTHS],
        "texts": [{"said": said, "answer": answer} for said, answer in TEXTS],
        "probability_w_options": [
            {"right": 0.7, "wrong": [1.1, 2.3], "expected": p / (p + q + 1e-10)}
            for p, q in [(math.exp(-0.7), math.exp(-1.1) + math.exp(-2.3))]
        ],
        "privleak": [[a, r, privleak(a, r)] for a, r in [(0.9, 0.5), (0.31, 0.47), (0.5, 0.94)]],
        "kl_over_everything": kl_over_everything(),
    }


if __name__ == "__main__":
    (HERE / "open_unlearning.json").write_text(json.dumps(make(), indent=1) + "\n", encoding="utf-8")
