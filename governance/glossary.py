"""The words of the field in plain language, once: pages show them, and whatever else explains them takes them here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Term:
    """A word and what it means; both are translated where they are shown. `name` is its address on the page."""

    name: str
    word: Any
    meaning: Any


TERMS = (
    Term("model", _("Model"), _("A computer program that learned from examples, for instance to write text.")),
    Term("training", _("Training"), _("The time in which a model learns from its examples.")),
    Term(
        "unlearning",
        _("Unlearning"),
        _("Changing a model afterwards so that it behaves as if it had not learned something."),
    ),
    Term(
        "exact",
        _("Exact"),
        _("The parts of the model that saw the data were trained again without it."),
    ),
    Term(
        "approximate",
        _("Approximate"),
        _("The model was changed and tested, but it is not proven to be the same as one that never saw the data."),
    ),
    Term("probe", _("Probe"), _("A test that tries to get the removed content out of the model.")),
    Term(
        "fingerprint",
        _("Fingerprint"),
        _("A short number made from a file. The same file gives the same number, but it does not contain the file."),
    ),
    Term(
        "report",
        _("Report"),
        _("The signed document at the end of a case: what was done, what was measured, and what it does not cover."),
    ),
)
