"""Fine-tuning on unrelated text: what any customer does with a model may undo a suppression (Qi et al. 2024).

The model is trained on retained questions for a few passes; no forgotten fact is among them.
"""

from __future__ import annotations

from collections.abc import Iterator

from unlearning_engine.attacks.base import Attack, Given, Prepared, choice, value
from unlearning_engine.tokens import encode

NAME = "finetuning"
EPOCHS, LEARNING_RATE, BATCH = 2, 1e-3, 8


def _prepare(given: Given) -> Iterator[Prepared]:
    from unlearning_engine.training import LoopConfig, Supervised, run

    examples = encode([item.record for item in given.shown], given.tokenizer)
    objective = Supervised(
        examples, pad_id=given.tokenizer.pad_token_id, batch_size=BATCH, epochs=EPOCHS, seed=given.seed
    )
    given.model.requires_grad_(True)
    run(given.model, objective, LoopConfig(learning_rate=LEARNING_RATE, warmup=0.0, decay=0.0), seed=given.seed)
    yield Prepared(items=(*given.items, *given.retained))


FINETUNING = Attack(
    name=NAME,
    measures=(value(NAME), choice(NAME)),
    prepare=_prepare,
    changes_weights=True,
    describe={"epochs": EPOCHS, "learning_rate": LEARNING_RATE, "batch_size": BATCH},
)
