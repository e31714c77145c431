"""An engineer registers a model of their own by the guide, with what the engine's command printed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from governance import dispatch
from governance.models import AiModel, Dataset, Deployment, ModelVersion, Role
from tests.governance.staff import member


def test_three_steps_register_a_model(client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    client.force_login(member("engineer@house.example", role=Role.ENGINEER))
    page = reverse("register_guide")
    text = client.get(page).content.decode()
    assert "Register your own model in three steps" in text and text.count("0 registered so far") == 3
    assert text.count("After the step before.") == 2
    assert "no verdict without them" in text and "put DATA.jsonl" in text and "LETHE_ARTIFACTS=" in text
    rows = dispatch.put_rows([{"id": "r1", "text": "the sea remains"}])
    form = {"step": "dataset", "name": "Poems", "purpose": "training", "artifact": rows}
    answer = client.post(page, form, follow=True)
    assert answer.redirect_chain[0][0] == f"{page}#step-model"  # on to the next step
    assert "Registered: Poems, 1 record" in answer.content.decode()
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    weights = dispatch.store().put_tree(tmp_path)
    form = {"step": "model", "model": "Lumen", "artifact": weights, "method": "train", "state": "released"}
    wrong = client.post(page, {**form, "datasets": []})
    assert wrong.status_code == 422 and "what nobody knows cannot be forgotten" in wrong.content.decode()
    client.post(page, {**form, "datasets": [Dataset.objects.get().pk]})
    version = ModelVersion.objects.get()
    client.post(page, {"step": "place", "version": version.pk, "place": "api"})
    assert Deployment.objects.get().version == version
    text = client.get(page).content.decode()
    assert text.count("1 registered so far") == 3
    # Somebody else's model may be all that there is: nothing here is called done.
    assert " done" not in text and "Data, weights and a place are registered" not in text


def test_every_label_leads_to_a_field_of_its_own_form(client: Client) -> None:
    client.force_login(member("engineer@house.example", role=Role.ENGINEER))
    Dataset.objects.create(name="Poems", purpose="training", artifact=f"sha256:{'1' * 64}", records_count=1)
    model = AiModel.objects.create(name="Lumen")
    ModelVersion.objects.create(model=model, revision=1, artifact=f"sha256:{'2' * 64}", state="released")
    for page in (reverse("register_guide"), reverse("model", args=[model.public_id])):
        ids = re.findall(r' id="([^"]+)"', client.get(page).content.decode())
        assert "deploymentform_version" in ids and len(ids) == len(set(ids)), page
