"""Where a reference comes from, as far as the engine can check it: its recipe against the records of this run.

`recipe.json` beside a model names the data it was trained on, as a digest over ids and texts, and its tokenizer. Where
that is the training set without the forget set, the lineage is `proven`: whoever made the model recorded this training
set and no other (weights do not tell what they were trained on). All else is `unproven`, with the reason: another
maker's reference may be honest, but then its maker's word stands for it.
"""

from __future__ import annotations

from pathlib import Path

from unlearning_engine.contracts import VerifySpec
from unlearning_engine.data import dataset_digest, load_ids, load_records, split
from unlearning_engine.errors import DataError
from unlearning_engine.probes.items import sets_of
from unlearning_engine.recipes import RECIPE, read_recipe, tokenizer_digest

PROVEN, UNPROVEN = "proven", "unproven"
#: What makes a model from fresh weights.
_FRESH = ("train", "retrain")


def _expected(spec: VerifySpec) -> set[str]:
    """Digests of training sets that hold nothing of the forget set, with and without what was excluded."""
    sets = sets_of(spec)
    found = {dataset_digest([*sets["retain"], *sets["general"]])}
    if spec.dataset and spec.forget_ids:
        found.add(dataset_digest(split(load_records(spec.dataset), load_ids(spec.forget_ids))[1]))
    return found


def reference_lineage(spec: VerifySpec) -> dict[str, str] | None:
    """`{"status": "proven" | "unproven", "reason": ...}` of the reference; None where there is none.

    Raises:
        DataError: the sets of this run cannot be read.
    """
    if not spec.reference:
        return None
    reason = _fault(spec)
    if reason:
        return {"status": UNPROVEN, "reason": reason}
    return {"status": PROVEN, "reason": "its recipe names the training set without the forget set, and its tokenizer"}


def _fault(spec: VerifySpec) -> str:
    """Why nothing is proven; empty where it is."""
    folder = Path(spec.reference)
    if not (folder / RECIPE).is_file():
        return "no recipe lies beside the model"
    try:
        recipe = read_recipe(folder)
        words = tokenizer_digest(folder)
    except DataError as error:
        return f"its recipe cannot be checked ({error.messages[0]})"
    if recipe.get("made_by") not in _FRESH:
        return "its recipe is not one of a training from fresh weights"
    if recipe.get("tokenizer_digest") != words:
        return "its recipe names another tokenizer"
    if recipe.get("tokenizer_shared_records") != 0:
        return "its tokenizer may have been made from the records"
    if recipe.get("dataset_digest") not in _expected(spec):
        return "its recipe names another training set than these records without the forget set"
    return ""
