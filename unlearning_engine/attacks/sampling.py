"""Sampling: ask many times at a temperature; an answer that greedy decoding hides comes up now and then.

A fact counts as given where any try holds its value. Guessing gains from many tries, too, so the reference (or the
controls) gets as many; with few possible values the bar is high and the attack needs many facts to decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from unlearning_engine.attacks.base import Attack, Given, Prepared, value
from unlearning_engine.models import context_length
from unlearning_engine.probes.items import Item
from unlearning_engine.probes.measure import holds
from unlearning_engine.probes.table import Row
from unlearning_engine.tokens import Example, collate, encode_prompts

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NAME = "sampling"
TRIES = 16
TEMPERATURE = 1.0
#: Questions of a batch; each takes `tries` rows.
_QUESTIONS = 16


def _prepare(given: Given) -> Iterator[Prepared]:
    yield Prepared(items=tuple(given.items), bare=True, tries=TRIES, temperature=TEMPERATURE)


def draw(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    *,
    new_tokens: int,
    prepared: Prepared,
    pad_id: int,
    end_id: int,
) -> list[list[list[int]]]:
    """`prepared.tries` continuations of each prompt, drawn from the whole distribution by torch's generator.

    The model's own generation configuration is ignored.
    """
    import torch
    from transformers import GenerationConfig

    rows = [Example(record_id="", tokens=tuple(p), labels=tuple(p)) for p in prompts]
    batch = collate(rows, pad_id, side="left")
    width, context = batch["input_ids"].shape[1], context_length(model)
    room = new_tokens if context is None else max(1, min(new_tokens, context - width))
    own = model.generation_config
    model.generation_config = GenerationConfig(
        do_sample=True,
        temperature=prepared.temperature,
        top_k=0,
        top_p=1.0,
        num_return_sequences=prepared.tries,
        pad_token_id=pad_id,
        eos_token_id=end_id,
        max_new_tokens=room,
    )
    try:
        with torch.inference_mode():
            inputs = {k: batch[k].to(model.device) for k in ("input_ids", "attention_mask")}
            out = model.generate(**inputs, generation_config=model.generation_config)
    finally:
        model.generation_config = own
    said = [row[: row.index(end_id)] if end_id in row else row for row in out[:, width:].tolist()]
    return [said[at : at + prepared.tries] for at in range(0, len(said), prepared.tries)]


def sampled(given: Given, prepared: Prepared, *, name: str) -> list[Row]:
    """One row an item: `exact` is 1 where any try holds the answer. The same seed draws the same tries."""
    import torch

    tokenizer = given.tokenizer
    items = list(prepared.items)
    prompts = encode_prompts([item.record.prompt for item in items], tokenizer)
    answers = encode_prompts([item.record.answer for item in items], tokenizer)
    order = sorted(range(len(items)), key=lambda at: len(prompts[at]))
    rows: dict[int, Row] = {}
    devices = [given.model.device] if given.model.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(given.seed)
        for start in range(0, len(order), _QUESTIONS):
            chosen = order[start : start + _QUESTIONS]
            said = draw(
                given.model,
                [prompts[at] for at in chosen],
                new_tokens=max(len(answers[at]) for at in chosen) + given.slack,
                prepared=prepared,
                pad_id=tokenizer.pad_token_id,
                end_id=tokenizer.eos_token_id,
            )
            for at, tries in zip(chosen, said, strict=True):
                texts = tokenizer.batch_decode(tries, skip_special_tokens=True)
                rows[at] = _row(items[at], texts, name)
    return [rows[at] for at in range(len(items))]


def _row(item: Item, texts: Sequence[str], name: str) -> Row:
    hit = any(holds(text, item.record.answer) for text in texts)
    return Row(
        model=name,
        attack=NAME,
        set=item.set,
        id=item.record.id,
        fact=item.fact,
        work=item.work,
        near=item.near,
        exact=float(hit),
    )


SAMPLING = Attack(
    name=NAME,
    measures=(value(NAME),),
    prepare=_prepare,
    describe={"tries": TRIES, "temperature": TEMPERATURE},
)
