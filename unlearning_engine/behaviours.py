"""Behaviours: what a model says to given prompts, judged by a classifier that the user gives.

The classifier is a folder that `AutoModelForSequenceClassification` loads, from safetensors and without its code. It
scores continuations that are sampled from the model's whole distribution; those whose score reaches the threshold are
flagged. Before and after are compared by the probe `behaviour`; here the flagged continuations also become the forget
set of a run of unlearning, and the others, with text that the user gives, what it holds (`sets`).

All this is measured by that classifier on these prompts, and by nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearning_engine.attacks import sampling
from unlearning_engine.attacks.base import Prepared
from unlearning_engine.configs import Checked, number
from unlearning_engine.data import Record, join, raise_all
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.models import choose_device, context_length, weights_digest
from unlearning_engine.tokens import Example, collate, encode_prompts

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

#: Rows that are sampled, and texts that are judged, at once.
ROWS = 64
#: The stage under which prompts are counted.
STAGE = "sampling"
#: The kind of rows made of continuations: those to hold are then neighbours of those to forget.
KIND = "continuation"


class Damaged(DataError):
    """The model gives no finite numbers, so that nothing can be sampled from it."""


@dataclass(frozen=True, kw_only=True)
class Judging(Checked):
    """What counts and how it is looked for.

    A continuation is flagged where the classifier gives `label` (a name or number) a score, 0 to 1, of `threshold` or
    more. Each prompt is continued `tries` times by at most `length` tokens at `temperature`. The classifier reads the
    continuation alone, or behind its prompt with `with_prompt`.
    """

    label: str = ""
    threshold: float = number(0.5, 0.0, 1.0)
    tries: int = number(16, 1, 1024)
    length: int = number(32, 1, 4096)
    temperature: float = number(1.0, 0.05, 5.0)
    with_prompt: bool = False


# ---------------------------------------------------------------- the classifier


class Judge:
    """A classifier with the label that counts; `score` is its sigmoid where labels do not exclude one another (a single
    output, or `multi_label_classification` in its configuration), else its share of the softmax."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, label: int, identity: str) -> None:
        self._model, self._tokenizer, self._label, self.identity = model, tokenizer, label, identity
        several = getattr(model.config, "problem_type", None) == "multi_label_classification"
        self._single = several or model.config.num_labels == 1
        limits = (getattr(tokenizer, "model_max_length", None), context_length(model))
        self._limit = min((limit for limit in limits if limit), default=None)

    def scores(self, texts: Sequence[str]) -> list[float]:
        """The label's score of each text, 0 to 1.

        Raises:
            DataError: a text does not fit the classifier, or it gives no finite numbers.
        """
        if not texts:
            return []
        rows = self._tokenizer(list(texts))["input_ids"]
        long = sum(bool(self._limit) and len(row) > (self._limit or 0) for row in rows)
        if long:
            raise DataError(f"--classifier: {long} texts do not fit in its {self._limit} tokens; set a smaller length")
        order = sorted(range(len(rows)), key=lambda at: len(rows[at]))
        found: dict[int, float] = {}
        for start in range(0, len(order), ROWS):
            chosen = order[start : start + ROWS]
            found.update(zip(chosen, self._batch([texts[at] for at in chosen]), strict=True))
        if any(score != score for score in found.values()):
            raise DataError("--classifier: gives NaN; it is damaged, restore it")
        return [found[at] for at in range(len(texts))]

    def _batch(self, texts: list[str]) -> list[float]:
        import torch

        batch = self._tokenizer(texts, padding=True, return_tensors="pt")
        inputs = {k: batch[k].to(self._model.device) for k in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            logits = self._model(**inputs).logits.double()
        shares = logits.sigmoid() if self._single else logits.softmax(dim=-1)
        values: list[float] = shares[:, self._label].tolist()
        return values


def load_judge(folder: str | Path, settings: Judging, *, device: str) -> Judge:
    """The classifier in a folder. Its code is never run and only safetensors are read.

    Raises:
        ConfigError: the label is missing or none of the classifier's.
        DataError: no folder, damaged, not safetensors, or no classifier (a head without weights).
    """
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    if not Path(folder).is_dir():
        raise DataError(f"--classifier: {folder}: is no folder; give that of a saved classifier")
    identity = weights_digest(folder)
    try:
        model, info = AutoModelForSequenceClassification.from_pretrained(
            str(folder), use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
        tokenizer = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False)
    except (StrictDataclassError, OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise DataError(f"--classifier: {folder}: is not readable ({error}); save it again") from error
    wrong = sorted({*info["missing_keys"], *(str(key) for key in info["mismatched_keys"])})
    if wrong:
        raise DataError(
            f"--classifier: {folder}: has no weights for {', '.join(wrong[:10])}; give a trained classifier"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    model.config.pad_token_id = tokenizer.pad_token_id
    return Judge(model.to(choose_device(device)).eval(), tokenizer, _label(model, settings.label), identity)


def _label(model: PreTrainedModel, wanted: str) -> int:
    """Number of the label that counts, by its name or its number; a single output needs no name."""
    names = {int(at): str(name) for at, name in model.config.id2label.items()}
    if not wanted and len(names) == 1:
        return 0
    found = [at for at, name in names.items() if wanted in (name, str(at))]
    if not found:
        raise ConfigError(
            f"spec.behaviour.label: {wanted!r} is no label of the classifier; one of {', '.join(names.values())}"
        )
    return found[0]


# ---------------------------------------------------------------- sampling and judging


@dataclass(frozen=True, kw_only=True)
class Said:
    """Continuations of one prompt, in the order drawn, with the classifier's scores; an empty one scores 0."""

    record: Record
    texts: tuple[str, ...]
    scores: tuple[float, ...]

    def flagged(self, threshold: float) -> tuple[bool, ...]:
        """Which of them reach the threshold; an empty one never does."""
        return tuple(bool(text) and score >= threshold for text, score in zip(self.texts, self.scores, strict=True))


def judged(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Record],
    judge: Judge,
    settings: Judging,
    *,
    seed: int,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> list[Said]:
    """Sample continuations of every prompt by `seed` and let the classifier score them.

    Raises:
        Damaged: the model gives no finite numbers.
        DataError: prompts leave no room for continuations, or see `Judge.scores`.
    """
    texts: dict[int, list[str]] = {}
    for batch in _continuations(model, tokenizer, prompts, settings, seed):
        texts |= batch
        tell(len(texts), len(prompts))
    found = []
    for at, record in enumerate(prompts):
        heard = [join(record.prompt, text) if settings.with_prompt else text for text in texts[at] if text]
        scores = iter(judge.scores(heard))
        values = tuple(next(scores) if text else 0.0 for text in texts[at])
        found.append(Said(record=record, texts=tuple(texts[at]), scores=values))
    return found


def _continuations(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Record],
    settings: Judging,
    seed: int,
) -> Iterator[dict[int, list[str]]]:
    """Batches of continuations by the number of their prompt, prompts of like length together."""
    import torch

    rows = encode_prompts([record.prompt for record in prompts], tokenizer)
    limit = context_length(model)
    full = [r.id for r, row in zip(prompts, rows, strict=True) if limit and len(row) + settings.length > limit]
    raise_all([f"prompt {name!r}: leaves no room for {settings.length} of {limit} tokens; shorten it" for name in full])
    pad, end = int(tokenizer.pad_token_id), int(tokenizer.eos_token_id)
    order = sorted(range(len(rows)), key=lambda at: len(rows[at]))
    size = max(1, ROWS // settings.tries)
    given = Prepared(items=(), bare=True, tries=settings.tries, temperature=settings.temperature)
    with torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else []):
        torch.manual_seed(seed)
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            some = [rows[at] for at in chosen]
            _check_finite(model, some, pad)
            drawn = sampling.draw(model, some, new_tokens=settings.length, prepared=given, pad_id=pad, end_id=end)
            yield {
                at: [text.strip() for text in tokenizer.batch_decode(tries, skip_special_tokens=True)]
                for at, tries in zip(chosen, drawn, strict=True)
            }


def _check_finite(model: PreTrainedModel, rows: Sequence[Sequence[int]], pad_id: int) -> None:
    import torch

    batch = collate([Example(record_id="", tokens=tuple(row), labels=tuple(row)) for row in rows], pad_id)
    inputs = {k: batch[k].to(model.device) for k in ("input_ids", "attention_mask")}
    with torch.inference_mode():
        logits = model(**inputs).logits[inputs["attention_mask"].bool()]
    if not bool(logits.isfinite().all()):
        raise Damaged("the model gives NaN or infinite logits for the prompts; nothing can be sampled from it")


# ---------------------------------------------------------------- the two sets of a run of unlearning


@dataclass(frozen=True, kw_only=True)
class Sets:
    """Flagged continuations to forget, others and given text to hold, and `facts` for the result."""

    forget: list[Record]
    retain: list[Record]
    facts: dict[str, Any]


def sets(found: Sequence[Said], settings: Judging, judge: Judge, *, retain: Sequence[Record], seed: int) -> Sets:
    """Divide what was said into what is to go and what is to stay; each text counts once per prompt.

    Raises:
        DataError: nothing is flagged; nothing is left to hold; or a flagged text is among the text to hold.
    """
    forget: list[Record] = []
    hold: list[Record] = []
    for at, said in enumerate(found):
        flags = dict(zip(said.texts, said.flagged(settings.threshold), strict=True))
        for n, (text, bad) in enumerate((text, bad) for text, bad in flags.items() if text):
            row = Record(
                id=f"said-{at:05d}-{n:04d}",
                subject=said.record.subject,
                fact=said.record.cluster,
                kind=KIND,
                prompt=said.record.prompt,
                answer=text,
            )
            (forget if bad else hold).append(row)
    facts = _facts(found, settings, judge, seed) | {"forget_rows": len(forget), "unflagged_rows": len(hold)}
    if not forget:
        top = max((score for said in found for score in said.scores), default=0.0)
        raise DataError(
            f"the classifier flags none of {facts['drawn']} continuations (highest score {top:.3g}); there is nothing "
            "to forget: give other prompts, more tries or a lower threshold"
        )
    given = {row.full_text for row in retain}
    both = [row.full_text for row in forget if row.full_text in given]
    raise_all([f"--retain: {text[:80]!r} is flagged by the classifier; leave it out" for text in both])
    if not hold and not retain:
        raise DataError("the classifier flags all that the model says; give text to hold with --retain")
    names = {row.id for row in retain}
    clash = [row.id for row in hold if row.id in names]
    raise_all([f"--retain: the id {name!r} is that of a continuation; name the row otherwise" for name in clash])
    return Sets(forget=forget, retain=[*retain, *hold], facts={**facts, "retain_rows": len(retain)})


def _facts(found: Sequence[Said], settings: Judging, judge: Judge, seed: int) -> dict[str, Any]:
    drawn = sum(len(said.texts) for said in found)
    flagged = sum(sum(said.flagged(settings.threshold)) for said in found)
    sentence = SENTENCE.format(
        label=settings.label or "0", threshold=settings.threshold, drawn=drawn, prompts=len(found)
    )
    return {
        "prompts": len(found),
        "drawn": drawn,
        "flagged": flagged,
        "empty": sum(not text for said in found for text in said.texts),
        "classifier": judge.identity,
        **asdict(settings),
        "seed": seed,
        "sentence": sentence,
    }


SENTENCE = (
    "What was to stop is what the user's classifier scores as {label!r} at {threshold} or above in {drawn} sampled "
    "continuations of {prompts} prompts: measured by the user's classifier on these prompts, nothing else."
)
