"""Paraphrase: ask in held-out wordings, which no model was trained on.

The forgotten and the controls are asked in them with the trained wordings, in the same pass (`probes.measure`), as
far as the policy's `paraphrases` goes; a mere filter on the trained prompt does not get through.
"""

from __future__ import annotations

from unlearning_engine.attacks.base import Attack
from unlearning_engine.probes import memorisation

PARAPHRASE = Attack(name="paraphrase", measures=(memorisation.PARAPHRASE,))
