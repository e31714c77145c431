"""One pass over packed answers gives what one answer at a time gives, in every architecture that is packed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from tests.engine.conftest import ARCHITECTURES, COLOURS, LLAMA, NAMES, Corpus
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.models import build_model, build_tokenizer
from unlearning_engine.probes.formats import Format, answer_start, encode_pairs
from unlearning_engine.probes.gradients import gradient_norms
from unlearning_engine.probes.representation import logit_lens
from unlearning_engine.probes.tokenwise import PACKED, TokenScores, joined, score_tokens
from unlearning_engine.tokens import IGNORE, Example

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CONFIGS: dict[str, dict[str, Any]] = {
    **ARCHITECTURES,
    **{name: {**LLAMA, "model_type": name} for name in ("qwen2", "qwen3", "olmo2", "mistral")},
}
ANSWERS = ("red", "green and a good deal more than green", "a", "blue, blue")


def slow(model: PreTrainedModel, example: Example) -> TokenScores:
    """One answer, no batch, no mask, whole logits."""
    with torch.inference_mode():
        logits = model(torch.tensor([example.tokens])).logits[0].double().log_softmax(-1)
    at = [n for n, label in enumerate(example.labels) if label != IGNORE]
    rows, labels = logits[[n - 1 for n in at]], torch.tensor([example.labels[n] for n in at])
    chosen = rows.gather(1, labels[:, None])[:, 0]
    mean = (rows.exp() * rows).sum(-1)
    spread = ((rows.exp() * (rows - mean[:, None]) ** 2).sum(-1)).sqrt()
    return TokenScores(
        log_probs=chosen.numpy(), hits=(rows.argmax(-1) == labels).numpy(), z=((chosen - mean) / spread).numpy()
    )


def made(corpus: Corpus, architecture: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    tokenizer = build_tokenizer(corpus.text, 400)
    return build_model(CONFIGS[architecture], tokenizer, seed=1), tokenizer


def groups_of(tokenizer: PreTrainedTokenizerBase) -> tuple[list[Example], list[list[int]]]:
    pairs = [(f"Colour of {name}?", answer) for name in NAMES[:4] for answer in ANSWERS]
    examples = [parts[0] for parts in encode_pairs(pairs, tokenizer, Format(), context=64)]
    return examples, [list(range(n, n + len(ANSWERS))) for n in range(0, len(examples), len(ANSWERS))]


@pytest.mark.parametrize("architecture", sorted(CONFIGS))
def test_packed_answers_score_as_single_ones(corpus: Corpus, architecture: str) -> None:
    model, tokenizer = made(corpus, architecture)
    examples, groups = groups_of(tokenizer)
    found = score_tokens(model, examples, tokenizer.pad_token_id, groups=groups, spread=True)
    for example, scores in zip(examples, found, strict=True):
        wanted = slow(model, example)
        assert scores.log_probs == pytest.approx(wanted.log_probs, abs=2e-5)
        assert scores.z == pytest.approx(wanted.z, abs=2e-4)
        assert np.array_equal(scores.hits, wanted.hits)


def test_a_short_sliding_window_is_kept_by_not_packing(corpus: Corpus) -> None:
    tokenizer = build_tokenizer(corpus.text, 400)
    window = {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 0}
    model = build_model({**CONFIGS["qwen2"], **window}, tokenizer, seed=1)
    examples, groups = groups_of(tokenizer)
    found = score_tokens(model, examples, tokenizer.pad_token_id, groups=groups)
    for example, scores in zip(examples, found, strict=True):
        assert scores.log_probs == pytest.approx(slow(model, example).log_probs, abs=2e-5)


def test_every_packed_architecture_is_tested() -> None:
    assert set(CONFIGS) >= PACKED


def test_neighbours_in_a_row_do_not_see_each_other(corpus: Corpus) -> None:
    model, tokenizer = made(corpus, "llama")
    examples, groups = groups_of(tokenizer)
    together = score_tokens(model, examples[:4], tokenizer.pad_token_id, groups=groups[:1])
    turned = score_tokens(model, examples[:4], tokenizer.pad_token_id, groups=[[3, 1, 2, 0]])
    alone = score_tokens(model, examples[:4], tokenizer.pad_token_id)
    for one, other, single in zip(together, turned, alone, strict=True):
        assert one.log_probs == pytest.approx(other.log_probs, abs=1e-5)
        assert one.log_probs == pytest.approx(single.log_probs, abs=1e-5)


def test_a_row_that_would_outgrow_the_context_is_cut(corpus: Corpus) -> None:
    model, tokenizer = made(corpus, "gpt2")
    answers = [" ".join(COLOURS[n % 8] for n in range(k, k + 12)) for k in range(8)]
    pairs = [("Colour of Balbax?", answer) for answer in answers]
    examples = [parts[0] for parts in encode_pairs(pairs, tokenizer, Format(), context=64)]
    assert sum(len(e.tokens) for e in examples) > 64
    found = score_tokens(model, examples, tokenizer.pad_token_id, groups=[list(range(8))])
    for example, scores in zip(examples, found, strict=True):
        assert scores.log_probs == pytest.approx(slow(model, example).log_probs, abs=2e-5)


def test_a_model_that_gives_no_numbers_is_not_finite(corpus: Corpus) -> None:
    model, tokenizer = made(corpus, "llama")
    with torch.no_grad():
        model.lm_head.weight.fill_(math.nan)
    examples, groups = groups_of(tokenizer)
    assert not any(s.finite for s in score_tokens(model, examples, tokenizer.pad_token_id, groups=groups))


# ---------------------------------------------------------------- formats


def words(example: Example, tokenizer: PreTrainedTokenizerBase) -> tuple[str, str]:
    start = answer_start(example)
    return tokenizer.decode(example.tokens[:start]), tokenizer.decode(example.tokens[start:])


def test_the_answer_alone_is_labelled_in_every_format(corpus: Corpus) -> None:
    tokenizer = build_tokenizer(corpus.text, 400)
    tokenizer.chat_template = "{% for m in messages %}<s>[{{ m['content'] }}]{% endfor %}"
    for layout, head in (
        (Format(), "<s>Colour?"),
        (Format(join="\nSay: "), "<s>Colour?\nSay:"),
        (Format(chat=True), "<s>[Colour?]"),
    ):
        ((example,),) = encode_pairs([("Colour?", "red")], tokenizer, layout)
        before, after = words(example, tokenizer)
        assert (before.rstrip(), after.strip()) == (head, "red"), layout
        assert tokenizer.eos_token_id not in example.tokens


def test_running_text_is_labelled_whole_and_cut_into_windows(corpus: Corpus) -> None:
    tokenizer = build_tokenizer(corpus.text, 400)
    (parts,) = encode_pairs([("", "the grey sea sings " * 20)], tokenizer, Format(), context=16)
    assert len(parts) > 2
    assert all(part.labels[0] == IGNORE for part in parts)
    model = build_model(LLAMA, tokenizer, seed=1)
    scores = joined(score_tokens(model, parts, tokenizer.pad_token_id, spread=True))
    assert scores.tokens == sum(len(part.tokens) - 1 for part in parts)
    assert scores.z is not None


def test_pairs_that_cannot_be_scored_are_all_named(corpus: Corpus) -> None:
    tokenizer = build_tokenizer(corpus.text, 400)
    with pytest.raises(DataError) as caught:
        encode_pairs(
            [("Long " * 40, "red"), ("Short?", "red"), ("Also " * 40, "blue")], tokenizer, Format(), context=32
        )
    assert len(caught.value.messages) == 2


def test_a_chat_template_is_needed_for_chat_and_excludes_a_joining_text(corpus: Corpus) -> None:
    tokenizer = build_tokenizer(corpus.text, 400)
    with pytest.raises(ConfigError, match="no chat template"):
        encode_pairs([("a", "b")], tokenizer, Format(chat=True))
    with pytest.raises(ConfigError, match="not both"):
        Format(chat=True, join="x")


def test_an_ensemble_of_shards_is_scored_one_answer_a_row_and_through_its_own_mixture(corpus: Corpus) -> None:
    from unlearning_engine.sisa.modeling import SisaConfig, SisaForCausalLM

    tokenizer = build_tokenizer(corpus.text, 400)
    shard = {**LLAMA, "vocab_size": len(tokenizer), "initializer_range": 0.3, "pad_token_id": tokenizer.pad_token_id}
    torch.manual_seed(5)
    model = SisaForCausalLM(SisaConfig(shard=shard, members=[0, 1], aggregation="posterior")).eval()
    examples, groups = groups_of(tokenizer)
    found = score_tokens(model, examples, tokenizer.pad_token_id, groups=groups, spread=True)
    for example, scores in zip(examples, found, strict=True):
        assert scores.log_probs == pytest.approx(slow(model, example).log_probs, abs=2e-4)
    norms = gradient_norms(model, examples[:2], tokenizer.pad_token_id)
    assert all(math.isfinite(norm) and norm > 0 for norm in norms)
    with pytest.raises(ConfigError, match="hidden states in each shard"):
        logit_lens(model, examples[:2], tokenizer.pad_token_id)
