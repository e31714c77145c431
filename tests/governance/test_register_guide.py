"""An engineer registers a model of their own by the guide, with what the engine's command printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from governance import dispatch
from governance.models import Dataset, Deployment, ModelVersion, Role
from tests.governance.staff import member


def test_three_steps_register_a_model(client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    client.force_login(member("engineer@house.example", role=Role.ENGINEER))
    page = reverse("register_guide")
    text = client.get(page).content.decode()
    assert "0 of 3 steps done" in text and text.count("After the step before.") == 2
    assert "put DATA.jsonl" in text and "LETHE_ARTIFACTS=" in text
    rows = dispatch.put_rows([{"id": "r1", "text": "the sea remains"}])
    client.post(page, {"step": "dataset", "name": "Poems", "purpose": "training", "artifact": rows})
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    weights = dispatch.store().put_tree(tmp_path)
    form = {"step": "model", "model": "Lumen", "artifact": weights, "method": "train", "state": "released"}
    wrong = client.post(page, {**form, "datasets": []})
    assert wrong.status_code == 422 and "what nobody knows cannot be forgotten" in wrong.content.decode()
    client.post(page, {**form, "datasets": [Dataset.objects.get().pk]})
    version = ModelVersion.objects.get()
    client.post(page, {"step": "place", "version": version.pk, "place": "api"})
    assert Deployment.objects.get().version == version
    assert "Data, weights and a place are registered" in client.get(page).content.decode()
