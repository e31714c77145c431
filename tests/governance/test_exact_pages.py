"""Pages of exact deletion: shard map, what a deletion would cost, the plan's stages, the run's jobs."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from governance import dispatch
from governance.models import Role, Status
from governance.web.shard_map import DRAWN, percent, shard_map, stage_words
from tests.governance.conftest import run_house_jobs
from tests.governance.lineage_example import put_lineage
from tests.governance.test_exact_deletion_of_a_case import base as base  # the released version, with a lineage
from tests.governance.test_exact_deletion_of_a_case import shard_jobs, to_release


@pytest.fixture(autouse=True)
def _own_store(settings, tmp_path):
    settings.ARTIFACTS_URL = str(tmp_path / "store")


@pytest.fixture
def page(people):
    """Text of a page as the engineer sees it."""
    client = Client()
    client.force_login(people[Role.ENGINEER].user)

    def text(name: str, *args: object, query: str = "") -> str:
        answer = client.get(reverse(name, args=args) + query)
        assert answer.status_code == 200, answer.content.decode()[:2000]
        return str(answer.content.decode())

    return text


def test_a_version_shows_its_shard_map_and_what_a_deletion_would_cost(page, base):
    text = page("version", base.model.public_id, base.revision)
    for words in ("3 records in 2 shards of 2 slices", "shard-00", "What a deletion would cost", "Records at once"):
        assert words in text
    # One of three records: shard 0's slice 2 (2 of 8 passes), or shard 1 from slice 1 or 2 (6 or 4 of 8).
    assert percent((2 + 6 + 4) / 3 / 8) == "50.0%" and "one costs 50.0% of its training on average" in text
    assert "No deletion has been measured yet" in text
    assert text.count("with a lineage") == 0 and "with a lineage" in page("model", base.model.public_id)


def test_the_curve_comes_as_a_table_with_what_was_measured(page, walk, case, base):
    to_release(walk, case)
    text = page("version_cost", base.model.public_id, base.revision)
    assert text.splitlines()[0] == 'records deleted at once,"expected, % of the training","measured, % of the training"'
    assert [line.split(",")[0] for line in text.splitlines()[1:]] == ["1", "2", "3"]
    # The engine counted 6 samples; the lineage was trained with 8.
    assert text.splitlines()[2].endswith(",75.0")
    assert "1 deletion was measured" in page("version", base.model.public_id, base.revision)


def test_a_version_without_a_lineage_says_so(page, catalogue):
    version = catalogue["reference"]
    assert "Trained without a lineage" in page("version", version.model.public_id, version.revision)


def test_a_lineage_that_is_gone_is_told_and_not_drawn(page, base):
    dispatch.discard(base.lineage)
    text = page("version", base.model.public_id, base.revision)
    assert "The lineage cannot be read" in text and "Shard map" not in text


def test_an_unknown_version_has_no_page(people, base):
    client = Client()
    client.force_login(people[Role.ENGINEER].user)
    assert client.get(reverse("version", args=[base.model.public_id, 99])).status_code == 404
    plain = reverse("version_cost", args=[base.model.public_id, 2])
    assert client.get(plain).status_code == 404


def test_the_plan_marks_what_is_trained_again_before_it_is_confirmed(page, walk, case, base):
    walk(case, Status.PLANNING)
    run_house_jobs(case)
    text = page("case", case.public_id, query="?tab=plan")
    assert "3 of 4 stages are trained again, in 2 of 2 shards." in text
    assert "shard-00 from slice 2, shard-01 from slice 1" in text
    assert text.count("shard-cell--again") == 3 and text.count("shard-cell--kept") == 1
    assert "Trained again: shard-00 from slice 2" in text


def test_a_shard_job_shows_the_whole_run(page, walk, case, base):
    walk(case, Status.UNLEARNING)
    run_house_jobs(case)
    text = page("job", shard_jobs(case)[0].pk)
    assert "Unlearning, shard-00 alone" in text and "Unlearning, shard-01 alone" in text and "The run" in text
    assert "Unlearning, shard-01 alone" in page("jobs")


def test_of_many_shards_the_affected_are_drawn():
    drawn = shard_map([[1]] * 40, {"39": 0})
    assert len(drawn["rows"]) == DRAWN and drawn["rows"][-1]["name"] == "shard-39"
    assert drawn["more"] == "16 more shards are not drawn."
    assert stage_words({str(n): 0 for n in range(10)}).endswith("and 2 more")


def test_an_engineer_without_an_account_sees_nothing(base):
    assert Client().get(reverse("version", args=[base.model.public_id, 1])).status_code in (302, 403)


def test_nothing_on_the_page_names_a_record(page, base):
    refs = put_lineage({"person-7": [0, 0], "r2": [1, 0]})
    type(base).objects.filter(pk=base.pk).update(artifact=refs["model"], lineage=refs["lineage"])
    assert "person-7" not in page("version", base.model.public_id, base.revision)
