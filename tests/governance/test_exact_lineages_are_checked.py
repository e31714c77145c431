"""A version names the lineage that made it, or none: what contradicts itself or made other weights is refused."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from django.urls import reverse

from governance import dispatch
from governance.errors import Unfit
from governance.models import Dataset, Job, ModelVersion, Role
from governance.services import catalogue as register
from governance.services import lineages
from tests.governance.lineage_example import PLACES, put_folder, put_lineage, weights
from tests.governance.staff import give_second_factor


@pytest.fixture(autouse=True)
def _own_store(settings, tmp_path):
    settings.ARTIFACTS_URL = str(tmp_path / "store")


def _register(people, catalogue, **refs):
    return register.version_register(
        model="Lumen", artifact=refs["model"], method="sisa", datasets=[catalogue["data"]],
        state=ModelVersion.State.RELEASED, actor=people[Role.ENGINEER], lineage=refs["lineage"],
    )  # fmt: skip


def test_a_version_is_registered_with_its_lineage(people, catalogue):
    refs = put_lineage()
    version = _register(people, catalogue, **refs)
    assert version.lineage == refs["lineage"]
    found = lineages.read(version.lineage)
    assert found.counts == [[0, 1], [1, 1]]
    assert found.places(["r2", "unknown"], "") == {"r2": dispatch.Place(1, 0)}


def test_the_lineage_of_other_weights_is_refused(people, catalogue):
    other = put_lineage({"r2": [0, 0], "r1": [1, 0]})
    with pytest.raises(Unfit, match="weights of shard 0 are not among the version's; the weights of shard 1"):
        _register(people, catalogue, model=other["model"], lineage=put_lineage()["lineage"])


def test_weights_that_one_job_left_with_the_lineage_need_no_comparison(people, catalogue):
    lineage, merged = put_lineage()["lineage"], dispatch.put_bytes(b"adapters merged into their base")
    Job.objects.create(
        key="t", kind="engine.train", queue="gpu", summary={"outputs": {"model": merged, "lineage": lineage}}
    )
    assert _register(people, catalogue, model=merged, lineage=lineage).lineage == lineage


def test_a_single_shard_is_served_as_it_is():
    found = lineages.read(put_lineage()["lineage"])
    plain = put_folder({f"model-{n}.safetensors": weights(t) for n, t in enumerate(("0 holds r1", "1 holds r2,r3"))})
    lineages.check_belongs(found, plain)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": 2}, "schema 2"),
        ({"seed": "7"}, "seed is missing or no int"),
        ({"seed": -1}, "out of range"),
        ({"shards": {}}, "names no shard"),
        ({"shards": {"0": {"manifest": "sha256:" + "0" * 64, "weights": "sha256:" + "0" * 64, "counts": [1, 1]}}},
         "manifest of shard 0 is not the one"),
    ],
)  # fmt: skip
def test_a_lineage_that_contradicts_itself_is_refused(change, words):
    with pytest.raises(Unfit, match=words):
        lineages.check_whole(lineages.read(put_lineage(**change)["lineage"]))


def test_what_is_no_lineage_is_refused():
    with pytest.raises(Unfit, match="not in the artefact store"):
        lineages.read("sha256:" + "0" * 64)
    with pytest.raises(Unfit, match="holds no lineage.json"):
        lineages.read(put_folder({"model.safetensors": b"x"}))
    with pytest.raises(Unfit, match="not JSON"):
        lineages.read(put_folder({"lineage.json": b"{"}))


def test_a_damaged_index_is_told():
    refs = put_lineage()
    files = {k: dispatch.read_bytes(v) for k, v in dispatch.store().list_tree(refs["lineage"]).items()}
    for damaged in (b'{"r1": [0, 1]}', b"{", b"[]"):
        found = lineages.read(put_folder({**files, "data/index.json": damaged}))
        with pytest.raises(Unfit, match="index.json is damaged"):
            found.places(["r1"], "")


def test_damaged_weights_are_told_from_foreign_ones():
    refs = put_lineage()
    broken = put_folder({"shard-00.safetensors": b"\x04\0\0\0\0\0\0\0no j"})
    with pytest.raises(Unfit, match="no readable safetensors"):
        lineages.check_belongs(lineages.read(refs["lineage"]), broken)


def test_places_follow_the_placement_where_no_records_are_kept(catalogue):
    refs = put_lineage()
    files = {k: dispatch.read_bytes(v) for k, v in dispatch.store().list_tree(refs["lineage"]).items()}
    files.pop("data/index.json")
    meta = json.loads(files["lineage.json"])
    meta["config"]["group"] = "subject"
    files["lineage.json"] = json.dumps(meta).encode()
    found = lineages.read(put_folder(files))
    places = found.places(["r1", "r2"], catalogue["data"].artifact)
    assert not found.keeps_records and places["r1"] == places["r2"]
    assert places["r1"] == dispatch.Placement(shards=2, slices=2, seed=7, group="subject").place("x", "a")


def test_what_a_deletion_costs_is_counted_in_sample_passes():
    found = lineages.read(put_lineage()["lineage"])
    facts = lineages.foresee(found, [[dispatch.Place(*PLACES["r1"])], [dispatch.Place(*PLACES["r3"])]], method="sisa")
    # Two passes a slice (2 * 3 / 3): shard 0 has nothing left; shard 1 is trained from slice 2 on r2.
    assert (facts["first_slices"], facts["passes"], facts["lineage_passes"]) == ({"0": 1, "1": 1}, 2.0, 8.0)
    assert (facts["retraining_passes"], facts["cases"], facts["records"]) == (3.0, 2, 2)
    whole = lineages.foresee(found, [[dispatch.Place(*PLACES["r1"])]], method="retrain")
    assert whole["first_slices"] == {"0": 0, "1": 0} and whole["passes"] == 6.0


def test_the_form_names_a_lineage_and_shows_what_is_wrong_with_it(people, catalogue):
    user = people[Role.ENGINEER].user
    give_second_factor(user)
    client = Client()
    client.force_login(user)
    refs = put_lineage()
    data = {"model": "Lumen", "artifact": refs["model"], "method": "sisa", "state": "released",
            "datasets": [Dataset.objects.get(name="Works").pk], "lineage": catalogue["data"].artifact}  # fmt: skip
    answer = client.post(reverse("models_register"), data)
    assert answer.status_code == 422 and "holds no lineage.json" in answer.content.decode()
    assert client.post(reverse("models_register"), {**data, "lineage": refs["lineage"]}).status_code == 302
    assert ModelVersion.objects.latest("id").lineage == refs["lineage"]


def test_a_lineage_with_a_missing_file_is_refused(people, catalogue):
    refs = put_lineage()
    found = lineages.read(refs["lineage"])
    dispatch.store()._remove(f"sha256/{found.checkpoint(1, 0)[7:9]}/{found.checkpoint(1, 0)[9:]}")
    with pytest.raises(Unfit, match="parts of the lineage are missing"):
        _register(people, catalogue, **refs)
