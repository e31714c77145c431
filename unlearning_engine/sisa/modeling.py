"""An ensemble of language models as one: SISA's shards behind transformers' interface.

This file stands alone (torch, transformers, standard library): a copy of it lies in every exported ensemble, so that
`AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)` works without this package.

Every aggregation is causal: the weight of a shard at position t depends on tokens up to t, never on the next one.

    posterior          Bayesian mixture of the shards: p(x[t+1] | x[:t]) = sum_s w_s(t) p_s(x[t+1] | x[:t]), where
                       w_s(t) is prior_s times the likelihood that shard s gives to the tokens up to t. What the
                       prompt names decides: the shard that learned of it finds it likely. Needs shards that were
                       trained on prompts too.
    mean_probability   the mixture with the prior's weights
    entropy_weighted   the mixture with weights prior_s exp(-H_s(t)), H_s the entropy in nats of shard s's prediction
    confidence         the prediction of the shard whose likeliest token is likeliest
    vote               (votes + mean probability) / (shards + 1), a shard's vote being its likeliest token: the majority
                       is the likeliest token, the mean breaks ties, and no token becomes impossible

Bourtoule et al. 2021 (arXiv:1912.03817) aggregate by vote or mean.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GenerationMixin,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import CausalLMOutputWithPast

AGGREGATIONS = ("posterior", "mean_probability", "entropy_weighted", "confidence", "vote")


class SisaConfig(PretrainedConfig):  # type: ignore[misc]
    """Configuration of an ensemble.

    Args:
        shard: configuration of every shard's model, with its `model_type`.
        members: numbers of the shards that have a model; one that lost all records is absent.
        aggregation: one of `AGGREGATIONS`.
        prior: positive weight of each member, in the order of `members`; None means equal ones.
    """

    model_type = "lethe_sisa"

    def __init__(
        self,
        shard: Mapping[str, Any] | None = None,
        members: Sequence[int] = (),
        aggregation: str = "posterior",
        prior: Sequence[float] | None = None,
        **kwargs: Any,
    ) -> None:
        self.shard = dict(shard or {})
        self.members = [int(number) for number in members]
        self.aggregation = aggregation
        self.prior = [float(weight) for weight in prior] if prior is not None else None
        super().__init__(**kwargs)
        problems = []
        if aggregation not in AGGREGATIONS:
            problems.append(f"aggregation: {aggregation!r} is unknown; one of {', '.join(AGGREGATIONS)}")
        if len(set(self.members)) != len(self.members):
            problems.append(f"members: {self.members} names a shard twice")
        if self.prior is not None and len(self.prior) != len(self.members):
            problems.append(f"prior: {len(self.prior)} weights for {len(self.members)} members")
        if self.prior is not None and not all(math.isfinite(weight) and weight > 0 for weight in self.prior):
            problems.append("prior: every weight must be positive and finite")
        if problems:
            raise ValueError("; ".join(problems))

    def shard_config(self) -> PretrainedConfig:
        """The configuration of one shard's model."""
        return AutoConfig.for_model(**self.shard)

    @property
    def vocab_size(self) -> int | None:
        """Tokens that every shard knows."""
        return self.shard.get("vocab_size")

    @property
    def max_position_embeddings(self) -> int | None:
        """Longest sequence in tokens, where the shards' configuration says."""
        return self._of_shard("max_position_embeddings")

    @property
    def hidden_size(self) -> int | None:
        """Width of a shard's hidden states."""
        return self._of_shard("hidden_size")

    @property
    def num_hidden_layers(self) -> int | None:
        """Blocks of all shards together: what looks for so many in one row finds none, rather than one shard's."""
        return (self._of_shard("num_hidden_layers") or 0) * len(self.members) or None

    def _of_shard(self, name: str) -> int | None:
        value = getattr(self.shard_config(), name, None) if self.shard else None
        return int(value) if value else None


class SisaCache:
    """What generation keeps between steps: each shard's own cache, log weight and last prediction."""

    is_compileable = False

    def __init__(self) -> None:
        self.length = 0
        self.own: dict[str, Any] = {}
        #: Log weights, shape (batch,), and log-probabilities of the next token, shape (batch, vocabulary).
        self.weights: dict[str, Tensor] = {}
        self.last: dict[str, Tensor] = {}

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Tokens that the shards have read."""
        return self.length

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Take the rows that beam search goes on with."""
        for name, own in self.own.items():
            own.reorder_cache(beam_idx)
            if name in self.weights:
                self.weights[name] = self.weights[name][beam_idx]
                self.last[name] = self.last[name][beam_idx]


class _Mixture:
    """Sum of weighted distributions, in logarithms, one shard after the other: `scores` (batch, kept, vocabulary) are
    log-probabilities, `weights` (batch, kept) log weights."""

    def __init__(self, device: torch.device) -> None:
        self.sum = torch.tensor(-math.inf, device=device)
        self.weight = torch.tensor(-math.inf, device=device)

    def add(self, scores: Tensor, weights: Tensor) -> None:
        self.sum = torch.logaddexp(self.sum, scores + weights[..., None])
        self.weight = torch.logaddexp(self.weight, weights)

    def result(self) -> Tensor:
        return self.sum - self.weight[..., None]


class _EntropyWeighted(_Mixture):
    def add(self, scores: Tensor, weights: Tensor) -> None:
        entropy = -(scores.exp() * scores).sum(dim=-1)
        super().add(scores, weights - entropy)


class _Vote(_Mixture):
    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self.votes = torch.tensor(0.0, device=device)
        self.shards = 0

    def add(self, scores: Tensor, weights: Tensor) -> None:
        super().add(scores, torch.zeros_like(weights))
        ones = torch.ones_like(scores[..., :1])
        self.votes = self.votes + torch.zeros_like(scores).scatter(-1, scores.argmax(dim=-1, keepdim=True), ones)
        self.shards += 1

    def result(self) -> Tensor:
        return torch.logaddexp(self.votes.log(), super().result()) - math.log(self.shards + 1)


class _Confidence(_Mixture):
    def add(self, scores: Tensor, weights: Tensor) -> None:
        peak = scores.amax(dim=-1)
        self.sum = torch.where((peak > self.weight)[..., None], scores, self.sum)
        self.weight = torch.maximum(peak, self.weight)

    def result(self) -> Tensor:
        return self.sum


_KINDS: Mapping[str, type[_Mixture]] = {
    "posterior": _Mixture,
    "mean_probability": _Mixture,
    "entropy_weighted": _EntropyWeighted,
    "confidence": _Confidence,
    "vote": _Vote,
}


def _kept(values: Tensor, keep: int | Tensor) -> Tensor:
    """The positions of dimension 1 that `logits_to_keep` names: the last ones, all for 0, or those of an index."""
    if isinstance(keep, int):
        return values[:, -keep:] if keep else values
    return values[:, keep]


class SisaForCausalLM(PreTrainedModel, GenerationMixin):  # type: ignore[misc]
    """The shards' models as one causal language model; `logits` are log-probabilities that sum to one."""

    config_class = SisaConfig
    base_model_prefix = ""
    main_input_name = "input_ids"
    _supports_sdpa = True
    _supports_flash_attn = True

    def __init__(self, config: SisaConfig) -> None:
        super().__init__(config)
        if not config.members:
            raise ValueError("members: is empty; an ensemble needs at least one shard")
        one = config.shard_config()
        for number in config.members:
            made = AutoModelForCausalLM.from_config(one, dtype=torch.get_default_dtype())
            self.add_module(self.name_of(number), made)  # a child, so that its tied weights are found
        self._takes = frozenset(inspect.signature(made.forward).parameters)
        self.post_init()

    @staticmethod
    def name_of(number: int) -> str:
        """A shard's name among the weights: the absence of one shard renames no other."""
        return f"shard_{number:02d}"

    @property
    def shards(self) -> dict[str, Any]:
        """The shards' models by name, in the order of `members`."""
        return dict(self.named_children())

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        """Whether `generate` makes the cache: no, the first forward pass does."""
        return False

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: SisaCache | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Log-probabilities of the aggregated distribution.

        Args:
            input_ids: shape (batch, length).
            attention_mask: shape (batch, cached + length), 0 where a token is padding, on either side.
            labels: shape (batch, length), -100 where nothing counts; then `loss` is the mean cross entropy.
            logits_to_keep: how many of the last positions to return, 0 for all, or an index of positions.

        Raises:
            ValueError: the mask is not two-dimensional, or the shards' architecture keeps no cache.
        """
        cache = past_key_values
        if cache is None and use_cache:
            cache = SisaCache()
        past = cache.length if cache else 0
        if attention_mask is None:
            attention_mask = input_ids.new_ones(input_ids.shape[0], past + input_ids.shape[1])
        if attention_mask.dim() != 2:
            raise ValueError("attention_mask: must have the shape (batch, cached + length)")
        if position_ids is None:
            position_ids = (attention_mask.cumsum(-1) - 1).clamp(min=0)[:, -input_ids.shape[1] :]
        mixture = _KINDS[self.config.aggregation](input_ids.device)
        priors = self.config.prior or [1.0] * len(self.shards)
        for (name, shard), prior in zip(self.shards.items(), priors, strict=True):
            inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "position_ids": position_ids}
            scores = self._scores(name, shard, inputs, cache)
            weights = self._weights(name, scores, inputs, math.log(prior), cache)
            mixture.add(_kept(scores, logits_to_keep), _kept(weights, logits_to_keep))
        if cache:
            cache.length += input_ids.shape[1]
        logits = mixture.result()
        loss = None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=logits.shape[-1], **kwargs)
        return CausalLMOutputWithPast(loss=loss, logits=logits, past_key_values=cache)

    def _scores(self, name: str, shard: Any, inputs: Mapping[str, Tensor], cache: SisaCache | None) -> Tensor:
        """One shard's log-probabilities at all positions, in float32: even unkept ones tell whom the prompt names."""
        taken = {key: value for key, value in inputs.items() if key in self._takes}
        if cache is None:
            out = shard(**taken, use_cache=False)
        else:
            out = shard(**taken, use_cache=True, past_key_values=cache.own.get(name))
            if out.past_key_values is None:
                raise ValueError(f"{self.config.shard['model_type']}: keeps no cache; generate with use_cache=False")
            cache.own[name] = out.past_key_values
        scores: Tensor = out.logits.float().log_softmax(dim=-1)
        return scores

    def _weights(
        self, name: str, scores: Tensor, inputs: Mapping[str, Tensor], prior: float, cache: SisaCache | None
    ) -> Tensor:
        """Log weights at each position, shape (batch, length): the prior, and for the posterior what was read so far.

        A token counts where it and the one before it are no padding: the first has no likelihood.
        """
        tokens, mask = inputs["input_ids"], inputs["attention_mask"]
        start = scores.new_full((tokens.shape[0],), prior)
        if self.config.aggregation != "posterior":
            return start[:, None].expand(tokens.shape)
        before = scores[:, :-1]
        if cache and name in cache.last:
            start = cache.weights[name]
            before = torch.cat([cache.last[name][:, None], before], dim=1)
        width = before.shape[1]
        read = before.gather(-1, tokens[:, tokens.shape[1] - width :, None])[..., 0]
        counted = (mask[:, -width:] * mask[:, -width - 1 : -1]) if width else mask[:, :0]
        read = torch.where(counted.bool(), read, 0.0)
        if width < tokens.shape[1]:
            read = torch.nn.functional.pad(read, (1, 0))
        weights = start[:, None] + read.cumsum(dim=1)
        if cache:
            cache.weights[name], cache.last[name] = weights[:, -1], scores[:, -1]
        return weights


def register() -> None:
    """Let transformers' Auto classes load ensembles with this file, instead of the copy in their folder."""
    AutoConfig.register(SisaConfig.model_type, SisaConfig, exist_ok=True)
    AutoModelForCausalLM.register(SisaConfig, SisaForCausalLM, exist_ok=True)
