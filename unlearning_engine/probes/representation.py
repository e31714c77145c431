"""Knowledge in representations: what can be read off the hidden states, whatever the model says.

`linear_probe`: can a reader, linear in a layer's state, tell the right answer from wrong ones? At each position that
predicts an answer token, the state is multiplied by that token's row of the output head, element by element, and
averaged over the answer: one feature a dimension. A logistic regression over them is trained on some facts and asked
about the others (five folds; all facts of a work in one), so that it must find how the model encodes, not what. A
fact's score is the share of its wrong answers that the right one beats: 0.5 knows nothing. Layer 0 are the
embeddings, which see no prompt: what the words alone give away. (Linear probes: Alain and Bengio 2017; of unlearned
models: Patil et al. 2024.)

`logit_lens`: the output head, behind the last norm, reads each layer (nostalgebraist 2020): exp(mean log p) of the
right answer, in [0, 1]. The last layer is the model's own probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from unlearning_engine.errors import ConfigError
from unlearning_engine.probes.hidden import answer_log_probs, batches, final_norm, run, span, watched
from unlearning_engine.statistics import Array
from unlearning_engine.tokens import Example

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FAMILY = "representation"
FOLDS = 5


def answer_features(model: PreTrainedModel, examples: Sequence[Example], pad_id: int) -> Array:
    """State times output row, averaged over each answer's tokens: shape (layers + 1, examples, width).

    Raises:
        ConfigError: an architecture whose blocks are not known, or whose head is of another width than its states.
    """
    import torch

    head = model.get_output_embeddings().weight.float()
    found: dict[int, Array] = {}
    with torch.inference_mode():
        for numbers, batch in batches(examples, pad_id, model.device):
            with watched(model) as states:
                run(model, batch)
            layers = [model.get_input_embeddings()(batch["input_ids"]), *states]
            if layers[0].shape[-1] != head.shape[-1]:
                raise ConfigError("linear probe: the output head is of another width than the states")
            for row, number in enumerate(numbers):
                start, end = span(examples[number])
                rows = head[batch["labels"][row, start:end]]
                means = [(layer[row, start - 1 : end - 1].float() * rows).mean(dim=0) for layer in layers]
                found[number] = torch.stack(means).double().cpu().numpy()
    return np.stack([found[n] for n in range(len(examples))], axis=1)


def linear_probe(features: Array, facts: Sequence[int], right: Sequence[bool], works: Sequence[int]) -> list[float]:
    """One score a fact, in order of its number: the share of wrong answers below the right ones, ties half.

    Args:
        features: one layer's, shape (examples, width).
        facts, right, works: of each example. Every fact has a right and a wrong answer; there are two works or more.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    wanted, groups = np.asarray(right, dtype=int), np.asarray(works)
    decided = np.zeros(wanted.size)
    folds = GroupKFold(n_splits=min(FOLDS, np.unique(groups).size))
    for train, test in folds.split(features, wanted, groups):
        reader = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=500, C=0.1))
        decided[test] = reader.fit(features[train], wanted[train]).decision_function(features[test])
    scores = []
    for fact in sorted(set(facts)):
        own = np.asarray(facts) == fact
        first, others = decided[own & (wanted == 1)], decided[own & (wanted == 0)]
        wins = (first[:, None] > others).astype(float) + 0.5 * (first[:, None] == others)
        scores.append(float(wins.mean()))
    return scores


def logit_lens(model: PreTrainedModel, examples: Sequence[Example], pad_id: int) -> Array:
    """Probability of each answer read from each layer, shape (layers, examples).

    Raises:
        ConfigError: an architecture whose blocks or last norm are not known.
    """
    import torch

    norm, head = final_norm(model), model.get_output_embeddings()
    found: dict[int, list[float]] = {}
    with torch.inference_mode():
        for numbers, batch in batches(examples, pad_id, model.device):
            with watched(model) as states:
                run(model, batch)
            rows = [answer_log_probs(head(norm(state)), batch["labels"]).double().exp() for state in states]
            for row, number in enumerate(numbers):
                found[number] = [float(layer[row]) for layer in rows]
    return np.array([found[n] for n in range(len(examples))]).T
