"""Unlearning a language model without its training data.

What is to be forgotten is described by the request alone: a subject, titles, passages (`Request`). Passages are taken
as they are; what the model says when it is prompted with the subject and the titles is taken from the model itself.
What is to be retained is public text that the user gives, or text sampled from the model, of which nothing that names
the request or shares words with its passages is kept.

Both are surrogates: the samples show what the model says, not what it was trained on. Results carry `facts`, so that no
report claims more than "without the original data".
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearning_engine.attacks import sampling
from unlearning_engine.attacks.base import Prepared
from unlearning_engine.configs import Checked, build, number
from unlearning_engine.data import Record
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.tokens import encode_prompts

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

#: Words in a row that make a sampled text one of the request's passages.
SHARED_WORDS = 6
#: Texts sampled at once, and how many times as many may be drawn as are wanted.
ROWS, TRIES = 64, 4
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, kw_only=True)
class Request(Checked):
    """What a request says, and how much is sampled for it.

    Of the subject and of each title, `samples` continuations of at most `length` tokens are drawn at `temperature`;
    `retain_samples` texts are drawn where no retain set is given.
    """

    subject: str = ""
    titles: list[str] = field(default_factory=list)
    passages: list[str] = field(default_factory=list)
    samples: int = number(8, 1, 1000)
    retain_samples: int = number(256, 8, 10**6)
    length: int = number(48, 4, 4096)
    temperature: float = number(1.0, 0.05, 5.0)

    def conflicts(self) -> list[str]:
        """A request that says nothing, and lists of something else than text."""
        lists = {"titles": self.titles, "passages": self.passages}
        wrong = [
            f"{n}: must be a list of texts" for n, v in lists.items() if not all(isinstance(t, str) and t for t in v)
        ]
        nothing = not (self.subject or self.titles or self.passages)
        return wrong + (["subject, titles, passages: all are empty; name what is to be forgotten"] if nothing else [])

    @property
    def names(self) -> list[str]:
        """What a text that is to be retained must not mention."""
        return [name for name in (self.subject, *self.titles) if name]


def read(path: str | Path) -> Request:
    """A request from its JSON file.

    Raises:
        DataError: the file is no JSON object.
        ConfigError: naming every unknown or wrong field.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: is not a readable request ({error}); give a JSON object") from error
    if not isinstance(data, dict):
        raise DataError(f"{path}: must be a JSON object with subject, titles and passages")
    return build(Request, data, Path(path).name)


# ---------------------------------------------------------------- sampling


def continuations(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    *,
    tries: int,
    length: int,
    temperature: float,
    seed: int,
) -> list[list[str]]:
    """`tries` continuations of each prompt, drawn from the model's whole distribution by `seed`."""
    import torch

    given = Prepared(items=(), bare=True, tries=tries, temperature=temperature)
    said: list[list[str]] = []
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        for prompt in prompts:
            rows = encode_prompts([prompt], tokenizer) if prompt else [_start(tokenizer)]
            drawn = sampling.draw(
                model,
                rows,
                new_tokens=length,
                prepared=given,
                pad_id=int(tokenizer.pad_token_id),
                end_id=int(tokenizer.eos_token_id),
            )
            said.append([str(text) for text in tokenizer.batch_decode(drawn[0], skip_special_tokens=True)])
    return said


def _start(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    return [int(start)]


def forget_rows(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, request: Request, seed: int
) -> list[Record]:
    """The passages as they are, and what the model says behind the subject and the titles, each text once."""
    prompts = request.names
    said = continuations(
        model,
        tokenizer,
        prompts,
        tries=request.samples,
        length=request.length,
        temperature=request.temperature,
        seed=seed,
    )
    rows = [
        Record(id=f"passage-{n:04d}", subject=request.subject, kind="passage", text=text)
        for n, text in enumerate(request.passages)
    ]
    for at, (prompt, texts) in enumerate(zip(prompts, said, strict=True)):
        once = [text for text in dict.fromkeys(text.strip() for text in texts) if text]
        rows += [
            Record(id=f"sample-{at:04d}-{n:03d}", subject=request.subject, kind="sample", prompt=prompt, answer=text)
            for n, text in enumerate(once)
        ]
    if not rows:
        raise DataError("the model says nothing to the subject and the titles; give passages")
    return rows


def retain_rows(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    count: int,
    length: int,
    temperature: float,
    seed: int,
    names: Sequence[str],
    passages: Sequence[str],
) -> tuple[list[Record], int]:
    """Texts of the model that have nothing to do with the request, each once, and how many were dropped.

    Raises:
        DataError: fewer than half as many as wanted are usable, as of a model that was trained on answers alone.
    """
    kept: dict[str, None] = {}
    dropped = drawn = 0
    while len(kept) < count and drawn < TRIES * count:
        found = continuations(
            model, tokenizer, [""], tries=ROWS, length=length, temperature=temperature, seed=seed + drawn
        )
        for text in (text.strip() for text in found[0]):
            if usable(text, names, passages):
                kept[text] = None
            else:
                dropped += 1
        drawn += ROWS
    if len(kept) < count / 2:
        raise DataError(
            f"only {len(kept)} of {drawn} texts that the model says freely are usable, {count} are wanted; give public "
            "text with --retain (a model trained on answers alone does not write questions)"
        )
    texts = list(kept)[:count]
    return [Record(id=f"own-{n:05d}", kind="own", text=text) for n, text in enumerate(texts)], dropped


def words(text: str) -> list[str]:
    """A text's words in lower case."""
    return _WORD.findall(text.lower())


def usable(text: str, names: Sequence[str], passages: Sequence[str]) -> bool:
    """Whether a text is long enough, names nothing of the request and shares no run of words with its passages."""
    own = words(text)
    if len(own) < 3:
        return False
    line = f" {' '.join(own)} "
    if any(f" {' '.join(words(name))} " in line for name in names if words(name)):
        return False
    runs = {tuple(own[at : at + SHARED_WORDS]) for at in range(len(own) - SHARED_WORDS + 1)}
    for passage in passages:
        other = words(passage)
        if any(tuple(other[at : at + SHARED_WORDS]) in runs for at in range(len(other) - SHARED_WORDS + 1)):
            return False
    return True


# ---------------------------------------------------------------- what the result says of it


@dataclass(frozen=True, kw_only=True)
class Surrogates:
    """The two sets that stand for the training data, and `facts` for the result."""

    forget: list[Record]
    retain: list[Record]
    facts: dict[str, Any]


def surrogates(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    request: Request | None,
    forget: list[Record],
    retain: list[Record],
    seed: int,
) -> Surrogates:
    """Fill in what is missing of both sets; what was given stays as it is."""
    about = request or Request(subject="-")
    rows = forget_rows(model, tokenizer, request, seed) if request else forget
    facts: dict[str, Any] = {"forget": "described by the request" if request else "given", "forget_rows": len(rows)}
    dropped = 0
    if not retain:
        retain, dropped = retain_rows(
            model,
            tokenizer,
            count=about.retain_samples,
            length=about.length,
            temperature=about.temperature,
            seed=seed + 1,
            names=[*(request.names if request else ()), *sorted({r.subject for r in forget if r.subject})],
            passages=[*(request.passages if request else ()), *(r.full_text for r in forget)],
        )
    facts |= {"retain": "sampled from the model" if dropped or retain[0].kind == "own" else "given text"}
    facts |= {"retain_rows": len(retain), "retain_dropped": dropped}
    if request:
        facts["sampling"] = {k: v for k, v in asdict(request).items() if k in ("samples", "length", "temperature")}
    facts["sentence"] = SENTENCE.format(forget=facts["forget"], retain=facts["retain"])
    return Surrogates(forget=rows, retain=retain, facts=facts)


SENTENCE = (
    "Done without the original training data: what was forgotten was {forget}, what was held was {retain}. Knowledge "
    "that neither shows was neither sought nor protected."
)


def check_method(needs: Sequence[str], name: str) -> None:
    """Refuse methods that cannot do without the data.

    Raises:
        ConfigError: the method trains on the training set.
    """
    if "training set" in needs:
        raise ConfigError(f"spec.method: {name} needs the training set; give dataset and forget_ids, or another method")
