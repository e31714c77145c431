"""What a certificate assumes, and its sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unlearning_engine.certified.heads import HeadConfig
from unlearning_engine.certified.settings import OBSERVED, NewtonConfig

CERTIFIED, VOID = "certified", "void"


def claim(
    config: NewtonConfig,
    head: HeadConfig,
    *,
    rows: int,
    assumed: Sequence[str],
    retained: bool,
    total: tuple[float, float, str],
) -> dict[str, Any]:
    """The claim as JSON: `code`, `epsilon`, `delta`, `total`, `assumptions`, `sentence`.

    Args:
        head: as it is after the request.
        assumed: what the distance of the surrogate rests on.
        total: epsilon, delta and composition of all requests so far.
    """
    count = "1 row" if rows == 1 else f"{rows} rows"
    if config.seeded_noise:
        sentence = "Nothing is certified: the noise was drawn from a known seed, and can be subtracted."
        return {"code": VOID, "epsilon": None, "delta": None, "total": None, "assumptions": [], "sentence": sentence}
    epsilon, delta, how = total
    sentence = (
        f"Certified with epsilon {config.epsilon:g} and delta {config.delta:g}: whatever is looked for in the released "
        f"weights is found with a probability within a factor e^{config.epsilon:g}, up to {config.delta:g}, of that in "
        f"a head trained without the {count} and given the same noise. "
    )
    if len(head.ledger) > 1:
        sentence += (
            f"All {len(head.ledger)} requests to this head together: epsilon {epsilon:.4g}, delta {delta:.4g} "
            f"({how} composition). "
        )
    sentence += f"It holds under the {'assumptions that are' if assumed else 'conditions'} listed with it."
    return {
        "code": CERTIFIED,
        "epsilon": config.epsilon,
        "delta": config.delta,
        "total": {"epsilon": epsilon, "delta": delta, "composition": how},
        "assumptions": [*_conditions(config, head, retained), *assumed],
        "sentence": sentence,
    }


def _conditions(config: NewtonConfig, head: HeadConfig, retained: bool) -> list[str]:
    """What holds of the head, and what nobody but the operator can know."""
    noise = head.noise
    found = [
        f"The objective is {head.l2:g}-strongly convex ({head.loss} loss with a ridge term on every weight), and no "
        f"row's inputs are longer than {head.radius:.6g}: both were enforced in training.",
        f"The features come from {head.extractor.get('name') or 'no extractor'}, which did not see the training rows "
        f"(declared{': ' + str(head.extractor['note']) if head.extractor.get('note') else ''}).",
        f"The retrained head is the minimiser over the remaining rows; both heads carry normal noise of standard "
        f"deviation {noise:.6g} in every weight.",
        "The noise came from the operating system's generator; its seed was not kept, and no copy of the weights "
        "before the noise was.",
        "This head is released once for this request: another release from the same head spends again, and is not "
        "in its ledger.",
        "The claim is about the released weights alone: not about copies of earlier heads, nor about other models.",
    ]
    if retained:
        found.append("The retained rows were found to be the training set without the forgotten ones.")
    else:
        found.append("The forgotten rows were in the training set: without it nobody can check this.")
    if config.sensitivity == OBSERVED and config.noise:
        found.append(
            "The amount of noise was fixed before the request, and sufficed; that it sufficed, and the bound written "
            "in the ledger, were worked out from these rows and are taken as public."
        )
    elif config.sensitivity == OBSERVED:
        found.append("The amount of noise was worked out from these rows, and is taken as public.")
    return found
