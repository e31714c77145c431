"""What a request for certified unlearning states."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from unlearning_engine.certified.noise import ANALYTIC, CLASSICAL
from unlearning_engine.configs import Checked, number

RETAINED, MEASURED, HESSIAN, TV, KL, GAUSSIAN = "retained", "measured", "hessian", "tv", "kl", "gaussian"
SURROGATES = (RETAINED, MEASURED, HESSIAN, TV, KL, GAUSSIAN)
WORST_CASE, OBSERVED = "worst_case", "observed"
#: Characters that a justification has at least: a word is none.
_JUSTIFIED = 20


@dataclass(frozen=True, kw_only=True)
class NewtonConfig(Checked):
    """Settings of one request.

    Args:
        epsilon, delta: of this request; `delta` holds everything that may fail.
        surrogate: what `retain` is and how near it is to the training set:
            "retained": the training set without the rows to forget, which is checked; the distance is 0;
            "measured": a table that was at hand in training (`FitConfig.surrogate`), whose distance the head keeps;
            "hessian": `distance` bounds the spectral norm between the two mean Hessians at the head's weights;
            "tv", "kl": `distance` bounds the total variation, or the Kullback-Leibler divergence in nats, between
            the distributions of features that the two are independent samples of;
            "gaussian": both distributions are Gaussians of the parameters in `source` and `substitute`.
            Empty: "retained" where that is found to hold, else the request is refused.
        justification: of a distance that was given, for the record.
        source, substitute: `mean` (dimension) and `covariance` (its diagonal, or the matrix) of features before `clip`.
        sensitivity: "worst_case", a bound that holds for all rows of the head's norm, so that the amount of noise
            tells nothing; or "observed", a far smaller one from the gradient and the step of these very rows: the
            amount of noise itself is then taken as public.
        noise: standard deviation fixed beforehand, 0 to calibrate it; too little is refused. With "observed", it
            makes the amount of noise independent of the rows.
        calibration: "classical" (epsilon below 1), "analytic", or empty: the first where it holds.
        steps: Newton steps; more than one only with the retained data, until the gradient's norm is `tolerance`.
        seeded_noise: draw the noise from the spec's seed. Whoever knows the spec can then subtract it: for tests, and
            the result claims nothing.
    """

    epsilon: float = number(0.0, 0.0, 100.0)
    delta: float = number(0.0, 0.0, 0.1)
    surrogate: str = ""
    distance: float = number(-1.0, -1.0, 1e6)
    justification: str = ""
    source: dict[str, Any] = field(default_factory=dict)
    substitute: dict[str, Any] = field(default_factory=dict)
    sensitivity: str = WORST_CASE
    noise: float = number(0.0, 0.0, 1e9)
    calibration: str = ""
    steps: int = number(1, 1, 1000)
    tolerance: float = number(1e-8, 1e-13, 1.0)
    seeded_noise: bool = False

    def conflicts(self) -> list[str]:
        """Numbers that must be given, and a distance without its reason."""
        found = [
            f"{name}: must be given, above 0: it is what the certificate states"
            for name in ("epsilon", "delta")
            if not getattr(self, name)
        ]
        choices = (("surrogate", SURROGATES), ("sensitivity", (WORST_CASE, OBSERVED)))
        for name, known in (*choices, ("calibration", (CLASSICAL, ANALYTIC))):
            if getattr(self, name) not in known and (getattr(self, name) or name == "sensitivity"):
                found.append(f"{name}: {getattr(self, name)!r} is unknown; one of {', '.join(known)}")
        if self.calibration == CLASSICAL and self.epsilon >= 1:
            found.append("calibration: the classical formula holds below epsilon 1 only; leave it out or say analytic")
        if self.steps > 1 and self.surrogate not in ("", RETAINED):
            found.append("steps: only the retained data show how far is left to go; a surrogate allows one step")
        return found + self._distance_conflicts()

    def _distance_conflicts(self) -> list[str]:
        found = []
        if self.surrogate in (HESSIAN, TV, KL):
            if self.distance < 0:
                found.append(f'distance: missing; surrogate "{self.surrogate}" needs a bound')
            elif self.surrogate == HESSIAN and self.distance == 0:
                found.append("distance: 0 is not credible: two samples never have the same Hessian")
            elif self.surrogate == TV and self.distance >= 1:
                found.append(f"distance: {self.distance} bounds no total variation, which is at most 1: give a smaller")
        elif self.distance >= 0:
            found.append(f'distance: is read with surrogate "{HESSIAN}", "{TV}" or "{KL}" only')
        if self.surrogate in (HESSIAN, TV, KL, GAUSSIAN) and len(self.justification.strip()) < _JUSTIFIED:
            found.append(f"justification: say in at least {_JUSTIFIED} characters what the distance rests on")
        if (self.surrogate == GAUSSIAN) != bool(self.source and self.substitute):
            found.append(f'source, substitute: are given together, with surrogate "{GAUSSIAN}"')
        return found
