"""How prompt and answer become tokens: joined by one space, by a text of the user's, or by a chat template.

Nothing is added unless asked. The tokens before the answer are taken from prompt and answer together, so that what is
scored and what is continued begin alike.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unlearning_engine.data import Record, join, raise_all
from unlearning_engine.errors import ConfigError
from unlearning_engine.tokens import IGNORE, Example

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, kw_only=True)
class Format:
    """`join`: text between prompt and answer, None for one space where neither brings white space; `chat`: the
    tokenizer's own chat template, the prompt as the user's turn and the answer as the beginning of the reply."""

    join: str | None = None
    chat: bool = False

    def __post_init__(self) -> None:
        if self.chat and self.join is not None:
            raise ConfigError("format: give a joining text or the chat template, not both")

    def text(self, prompt: str, answer: str, tokenizer: PreTrainedTokenizerBase) -> tuple[str, int]:
        """The whole text, and the character at which the answer begins."""
        if not prompt:
            return answer, 0
        if self.chat:
            head = _templated(prompt, tokenizer)
            return head + answer, len(head)
        if self.join is None:
            return join(prompt, answer), len(prompt)
        return prompt + self.join + answer, len(prompt + self.join)


def _templated(prompt: str, tokenizer: PreTrainedTokenizerBase) -> str:
    if not getattr(tokenizer, "chat_template", None):
        raise ConfigError("format: the tokenizer has no chat template; leave chat off or give a joining text")
    turns = [{"role": "user", "content": prompt}]
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))


@dataclass(frozen=True, kw_only=True)
class Framed(Record):
    """A record whose prompts stand between `before` and `after`; its answer follows at once, with nothing between."""

    before: str = ""
    after: str = ""

    @property
    def full_text(self) -> str:
        """The text of the row, or prompt and answer as they stand."""
        return self.text or self.prompt + self.answer

    @property
    def question(self) -> str:
        """The prompt without what stands around it."""
        return self.prompt[len(self.before) : len(self.prompt) - len(self.after)]

    def ask(self, question: str) -> str:
        """Another question with the same around it."""
        return self.before + question + self.after


def framed(record: Record, layout: Format, tokenizer: PreTrainedTokenizerBase) -> Record:
    """The record with its prompts in this format; as it was in the default format, and where it is running text.

    Raises:
        ConfigError: no chat template where one is asked for, or one that leaves the prompt out.
    """
    if not record.is_question or (layout.join is None and not layout.chat):
        return record
    before, after = _frame(layout, tokenizer)
    fields = {f.name: getattr(record, f.name) for f in dataclasses.fields(Record)}
    frame = Framed(**fields, before=before, after=after)
    paraphrase = tuple(frame.ask(prompt) for prompt in record.paraphrase)
    return dataclasses.replace(frame, prompt=frame.ask(record.prompt), paraphrase=paraphrase)


def _frame(layout: Format, tokenizer: PreTrainedTokenizerBase) -> tuple[str, str]:
    """What stands before and after a prompt. A start token that the tokenizer adds itself is not written out again."""
    if not layout.chat:
        return "", layout.join or ""
    mark = "PROMPT-7f3a"
    before, found, after = _templated(mark, tokenizer).partition(mark)
    if not found:
        raise ConfigError("format: the chat template leaves the prompt out; give a joining text instead")
    start = tokenizer.bos_token or ""
    adds = tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]
    return before.removeprefix(start) if start and adds else before, after


def _rows(
    texts: Sequence[str], edges: Sequence[int], tokenizer: PreTrainedTokenizerBase, special: bool
) -> list[tuple[list[int], list[bool]]]:
    """Tokens of each text, and which of them reach past its edge."""
    if tokenizer.is_fast:
        found = tokenizer(list(texts), return_offsets_mapping=True, add_special_tokens=special)
        marks = [[end > edge for _, end in row] for row, edge in zip(found["offset_mapping"], edges, strict=True)]
        return list(zip(found["input_ids"], marks, strict=True))
    whole = tokenizer(list(texts), add_special_tokens=special)["input_ids"]
    heads = tokenizer([t[:e] for t, e in zip(texts, edges, strict=True)], add_special_tokens=special)["input_ids"]
    sizes = [len(_without_end(head, tokenizer)) for head in heads]
    return [(row, [at >= size for at in range(len(row))]) for row, size in zip(whole, sizes, strict=True)]


def _without_end(row: list[int], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    return row[:-1] if row and row[-1] == tokenizer.eos_token_id else row


def encode_pairs(
    pairs: Sequence[tuple[str, str]],
    tokenizer: PreTrainedTokenizerBase,
    layout: Format,
    *,
    context: int | None = None,
) -> list[list[Example]]:
    """Tokens of each (prompt, answer), labelled on the answer; the end token is no part of it.

    A pair with an empty prompt is running text: longer than the context, it becomes several windows.

    Raises:
        ConfigError: no chat template where one is asked for.
        DataError: naming every pair that does not fit the context or whose prompt or answer makes no tokens.
    """
    if not pairs:
        return []
    drawn = [layout.text(prompt, answer, tokenizer) for prompt, answer in pairs]
    rows = _rows([text for text, _ in drawn], [edge for _, edge in drawn], tokenizer, special=not layout.chat)
    found: list[list[Example]] = []
    problems: list[str] = []
    for at, ((prompt, answer), (tokens, marks)) in enumerate(zip(pairs, rows, strict=True)):
        row = _without_end(tokens, tokenizer)
        # A first token that belongs to the answer is predicted by nothing.
        labels = [token if mark and n else IGNORE for n, (token, mark) in enumerate(zip(row, marks, strict=False))]
        limit = context or max(1, len(row))
        if all(label == IGNORE for label in labels) or (prompt and marks[0]):
            problems.append(f"{(prompt or answer)[:60]!r}: prompt or answer makes no tokens with this tokenizer")
        elif prompt and len(row) > limit:
            problems.append(f"{prompt[:60]!r}: {len(row)} tokens do not fit in {limit}; shorten prompt or answer")
        parts = [(row[start : start + limit], labels[start : start + limit]) for start in range(0, len(row), limit)]
        found.append(
            [
                Example(record_id=str(at), tokens=tuple(t), labels=(IGNORE, *m[1:]), part=part)
                for part, (t, m) in enumerate(parts)
                if any(label != IGNORE for label in m[1:])
            ]
        )
    raise_all(problems)
    return found


def answer_start(example: Example) -> int:
    """Index of the first labelled token."""
    return next(at for at, label in enumerate(example.labels) if label != IGNORE)
