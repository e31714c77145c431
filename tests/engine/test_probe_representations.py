"""Probes that look inside: layers, lens, patches and gradients."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from tests.engine.conftest import ARCHITECTURES, COLOURS, Corpus
from unlearning_engine.errors import DataError
from unlearning_engine.models import build_model, build_tokenizer, load
from unlearning_engine.probes.formats import Format, encode_pairs
from unlearning_engine.probes.gradients import gradient_norm, gradient_norms
from unlearning_engine.probes.patching import depth_scores, patched_drops
from unlearning_engine.probes.representation import answer_features, linear_probe, logit_lens
from unlearning_engine.probes.tokenwise import score_tokens
from unlearning_engine.tokens import IGNORE, Example

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def asked(corpus: Corpus, tokenizer: PreTrainedTokenizerBase, wrong: int = 0) -> tuple[list[Example], list[bool]]:
    """Right answers, each followed by some wrong ones, and which is which."""
    pairs, right = [], []
    for r in corpus.records:
        if r.is_question:
            others = [c for c in COLOURS if c != r.answer][:wrong]
            pairs += [(r.prompt, a) for a in (r.answer, *others)]
            right += [True] + [False] * len(others)
    return [parts[0] for parts in encode_pairs(pairs, tokenizer, Format(), context=64)], right


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_the_lens_on_the_last_layer_is_the_models_own_probability(corpus: Corpus, architecture: str) -> None:
    tokenizer = build_tokenizer(corpus.text, 400)
    model = build_model(ARCHITECTURES[architecture], tokenizer, seed=1)
    examples, _ = asked(corpus, tokenizer)
    lens = logit_lens(model, examples, tokenizer.pad_token_id)
    own = [math.exp(-s.loss) for s in score_tokens(model, examples, tokenizer.pad_token_id)]
    assert lens.shape == (2, len(examples))
    assert lens[-1] == pytest.approx(own, rel=1e-4)
    assert lens[0] != pytest.approx(own, rel=1e-2)


def test_a_linear_probe_finds_what_a_trained_model_knows_and_nothing_in_its_embeddings(
    corpus: Corpus, trained: Path
) -> None:
    model, tokenizer = load(trained, device="cpu")
    examples, right = asked(corpus, tokenizer, wrong=5)
    facts = [n // 6 for n in range(len(examples))]
    states = answer_features(model, examples, tokenizer.pad_token_id)
    assert states.shape == (3, len(examples), 32)
    assert np.mean(linear_probe(states[-1], facts, right, facts)) > 0.75
    assert abs(np.mean(linear_probe(states[0], facts, right, facts)) - 0.5) < 0.3


def test_a_linear_probe_of_noise_scores_chance() -> None:
    rng = np.random.default_rng(0)
    facts = [n // 4 for n in range(800)]
    scores = linear_probe(rng.normal(size=(800, 8)), facts, [n % 4 == 0 for n in range(800)], facts)
    assert len(scores) == 200
    assert abs(np.mean(scores) - 0.5) < 0.08


def test_patching_a_model_with_itself_drops_nothing_and_with_a_stranger_all(corpus: Corpus, trained: Path) -> None:
    model, tokenizer = load(trained, device="cpu")
    stranger = build_model(ARCHITECTURES["llama"], tokenizer, seed=9)
    examples, _ = asked(corpus, tokenizer)
    same = patched_drops(model, model, examples, tokenizer.pad_token_id)
    other = patched_drops(model, stranger, examples, tokenizer.pad_token_id)
    assert same == pytest.approx(np.zeros((2, len(examples))), abs=1e-5)
    assert other.mean() > 1
    assert [s for s in depth_scores(same, other) if s is not None] == pytest.approx([0.0] * len(examples), abs=1e-3)
    assert [s for s in depth_scores(other, other) if s is not None] == pytest.approx([1.0] * len(examples))


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_a_patch_of_the_last_layer_gives_the_sources_states_to_the_originals_head(
    corpus: Corpus, architecture: str
) -> None:
    tokenizer = build_tokenizer(corpus.text, 400)
    original, source = (build_model(ARCHITECTURES[architecture], tokenizer, seed=n) for n in (1, 2))
    (example, *_), _ = asked(corpus, tokenizer)
    drop = patched_drops(original, source, [example], tokenizer.pad_token_id)[-1, 0]
    ids, labels = torch.tensor([example.tokens]), torch.tensor([example.labels])
    with torch.inference_mode():
        states = source.base_model(ids).last_hidden_state
        norm = next(m for name, m in source.base_model.named_children() if name in {"norm", "ln_f", "final_layer_norm"})
        captured: list[torch.Tensor] = []
        hook = norm.register_forward_pre_hook(lambda _m, inputs: captured.append(inputs[0]))
        source.base_model(ids)
        hook.remove()
        own = next(m for n, m in original.base_model.named_children() if n in {"norm", "ln_f", "final_layer_norm"})
        patched = original.get_output_embeddings()(own(captured[0])).log_softmax(-1)
        before = original(ids).logits.log_softmax(-1)
    assert states.shape == captured[0].shape
    at = [n for n, label in enumerate(example.labels) if label != IGNORE]
    by_hand = sum(float(before[0, n - 1, labels[0, n]] - patched[0, n - 1, labels[0, n]]) for n in at) / len(at)
    assert drop == pytest.approx(by_hand, abs=1e-4)


def test_depth_scores_by_hand() -> None:
    reference = np.array([[0.01, 1.0], [0.04, 3.0], [0.02, 0.0]])
    candidate = np.array([[5.0, 0.5], [5.0, 4.5], [5.0, 9.0]])
    assert depth_scores(candidate, reference) == [None, pytest.approx((0.5 * 1 + 1.0 * 3) / 4)]


def test_models_of_another_shape_cannot_be_patched(corpus: Corpus) -> None:
    tokenizer = build_tokenizer(corpus.text, 400)
    one = build_model(ARCHITECTURES["llama"], tokenizer, seed=1)
    other = build_model({**ARCHITECTURES["llama"], "num_hidden_layers": 3}, tokenizer, seed=1)
    examples, _ = asked(corpus, tokenizer)
    with pytest.raises(DataError, match="layers and width"):
        patched_drops(one, other, examples, tokenizer.pad_token_id)


# ---------------------------------------------------------------- gradients


def test_a_gradient_norm_does_not_depend_on_its_neighbours_and_leaves_the_model_alone(
    corpus: Corpus, trained: Path
) -> None:
    model, tokenizer = load(trained, device="cpu")
    examples, _ = asked(corpus, tokenizer)
    model.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    together = gradient_norms(model, examples[:5], tokenizer.pad_token_id)
    alone = [gradient_norm(model, example, tokenizer.pad_token_id) for example in reversed(examples[:5])]
    assert together == alone[::-1]
    assert all(p.grad is None and not p.requires_grad for p in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_gradient_norm_is_the_mean_over_tensors_by_plain_backward(corpus: Corpus) -> None:
    tokenizer = build_tokenizer(corpus.text, 400)
    model = build_model(ARCHITECTURES["gpt2"], tokenizer, seed=1)
    (example, *_), _ = asked(corpus, tokenizer)
    logits = model(torch.tensor([example.tokens])).logits[0].log_softmax(-1)
    at = [n for n, label in enumerate(example.labels) if label != IGNORE]
    (-sum(logits[n - 1, example.labels[n]] for n in at) / len(at)).backward()
    by_hand = [float(p.grad.norm()) for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    ours = gradient_norm(model, example, tokenizer.pad_token_id)
    assert ours == pytest.approx(sum(by_hand) / len(by_hand), rel=1e-5)


def test_one_graph_for_a_batch_breaks_at_its_second_item(corpus: Corpus) -> None:
    """What open-unlearning does: `backward` twice through one graph."""
    tokenizer = build_tokenizer(corpus.text, 400)
    model = build_model(ARCHITECTURES["llama"], tokenizer, seed=1)
    logits = model(torch.tensor([[1, 5, 6], [1, 7, 8]])).logits.log_softmax(-1)
    losses = [-logits[n, 0, 5] for n in range(2)]
    losses[0].backward()
    with pytest.raises(RuntimeError, match="second time"):
        losses[1].backward()
