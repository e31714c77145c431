"""The demonstration with a lineage: its reference differs from the model by chance alone."""

from __future__ import annotations

import pytest

from governance import dispatch
from governance.management.demo import organisation


@pytest.mark.parametrize("seed", range(1, 9))
def test_the_reference_learns_general_knowledge_as_often_as_the_model(seed):
    other = organisation._reference_seed(seed)
    places = [
        dispatch.Placement(shards=4, slices=2, seed=one, group="subject").place("", organisation.GENERAL)
        for one in (seed, other)
    ]
    assert other >= seed + 500_000 and places[0].slice == places[1].slice
