"""ROUGE-L: the longest common subsequence of words, stemmed (Lin 2004), as a share of the true answer's words.

Words are runs of letters and digits of any script, in lower case, and each Chinese or Japanese sign by itself; words of
more than three characters are stemmed (Porter, as NLTK has it). On ASCII text this is rouge-score's own tokenizer word
for word, hence what TOFU, MUSE and open-unlearning report. On other text that one drops all but a-z and digits:
"Müller" becomes "m" and "ller", and a Greek or Chinese answer scores 0 however well it is known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

_SIGNS = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_SIGNS}]|[^\W_{_SIGNS}]+")


@dataclass(frozen=True, kw_only=True)
class RougeL:
    """Shares in [0, 1]: `recall` of the true answer's words, and the harmonic mean with precision."""

    recall: float
    f_measure: float


class _Words:
    """rouge-score's tokenizer interface."""

    def __init__(self) -> None:
        from nltk.stem.porter import PorterStemmer

        self._stemmer = PorterStemmer()

    def tokenize(self, text: str) -> list[str]:
        """Words of a text in order."""
        words = _WORD.findall(text.lower())
        return [self._stemmer.stem(word) if len(word) > 3 else word for word in words]


@cache
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], tokenizer=_Words())


def rouge_l(said: str, answer: str) -> RougeL:
    """ROUGE-L of what a model said against the true answer; both 0 where either has no words."""
    found = _scorer().score(answer, said)["rougeL"]
    return RougeL(recall=float(found.recall), f_measure=float(found.fmeasure))
