"""Forms of the register: each names something that lies in the artefact store already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy, ngettext

from governance.forms_renderer import DateField
from governance.models import AiModel, Dataset, Medium, ModelVersion
from governance.policies import Actor
from governance.services import catalogue
from governance.validators import one_line

DIGEST = RegexValidator(
    r"^sha256:[0-9a-f]{64}\Z", gettext_lazy("Write the whole digest: sha256: and 64 hexadecimal digits.")
)
#: States in which a version may be registered; the others are results of a case.
STATES = (ModelVersion.State.RELEASED, ModelVersion.State.REFERENCE)


def digest_field(label: Any, hint: Any = "", *, required: bool = True) -> forms.CharField:
    """The content name of something stored."""
    return forms.CharField(label=label, help_text=hint, validators=[DIGEST], max_length=71, required=required)


#: What can be said that a model works with.
SAID = [one for one in Medium.choices if one[0] != Medium.UNKNOWN]


class _OwnIds(forms.Form):
    """Several of these stand on one page: with ids that they share, a label led to the field of another form."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": f"{type(self).__name__.lower()}_%s", **kwargs})


class DatasetForm(_OwnIds):
    """A stored JSONL dataset."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=120, validators=[one_line])
    purpose = forms.ChoiceField(label=gettext_lazy("Purpose"), choices=Dataset.Purpose.choices)
    controls_for = forms.ModelChoiceField(
        label=gettext_lazy("Controls for"),
        help_text=gettext_lazy("Of never-seen controls: texts like those that this model learned, which it never saw."),
        queryset=AiModel.objects.none(),
        empty_label=gettext_lazy("Every model"),
        required=False,
    )
    artifact = digest_field(gettext_lazy("Digest"), gettext_lazy("Of the JSONL in the artefact store."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["controls_for"].queryset = AiModel.objects.order_by("name")  # type: ignore[attr-defined]

    def save(self, actor: Actor) -> str:
        """Register; says what was registered."""
        data = self.cleaned_data
        made = catalogue.dataset_register(
            name=data["name"], purpose=Dataset.Purpose(data["purpose"]), artifact=data["artifact"], actor=actor,
            controls_for=data["controls_for"],
        )  # fmt: skip
        return ngettext("%(name)s, %(n)s record", "%(name)s, %(n)s records", made.records_count) % {
            "name": made.name, "n": f"{made.records_count:,}"}  # fmt: skip


class VersionForm(_OwnIds):
    """Stored weights as the next version of a model, which is made when it is new."""

    model = forms.CharField(label=gettext_lazy("Model"), max_length=120, validators=[one_line])
    artifact = digest_field(gettext_lazy("Digest of the weights"))
    method = forms.CharField(label=gettext_lazy("Made by"), max_length=32, initial="train", validators=[one_line])
    state = forms.ChoiceField(label=gettext_lazy("State"), choices=[(s.value, s.label) for s in STATES])
    medium = forms.ChoiceField(
        label=gettext_lazy("Works with"),
        help_text=gettext_lazy("Claimants are told of which kinds there are models, nothing else about them."),
        choices=[("", gettext_lazy("As it stands; of a new model not said yet")), *SAID],
        required=False,
    )
    datasets = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Trained on"),
        queryset=Dataset.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Name at least one dataset: what nobody knows cannot be forgotten.")},
    )
    excluded = digest_field(
        gettext_lazy("Records left out"), gettext_lazy("Digest of a stored list of ids, one a line."), required=False
    )
    lineage = digest_field(
        gettext_lazy("Lineage"),
        gettext_lazy("Digest of the stored folder `lineage` of the training. Records can be deleted exactly from it."),
        required=False,
    )

    def __init__(self, *args: Any, model: AiModel | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["datasets"].queryset = Dataset.objects.order_by("name")  # type: ignore[attr-defined]
        if model is not None:
            self.fields["model"].initial = model.name

    def save(self, actor: Actor) -> str:
        """Register; says what was registered."""
        data = self.cleaned_data
        made = catalogue.version_register(
            model=data["model"], artifact=data["artifact"], method=data["method"], datasets=data["datasets"],
            state=ModelVersion.State(data["state"]), excluded=data["excluded"], lineage=data["lineage"],
            medium=data["medium"], actor=actor,
        )  # fmt: skip
        return str(made)


class _OfModel(_OwnIds):
    """Something about a version of one model."""

    version = forms.ModelChoiceField(label=gettext_lazy("Version"), queryset=ModelVersion.objects.none())

    def __init__(self, model: AiModel, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        versions = model.versions.select_related("model").order_by("-revision")
        self.fields["version"].queryset = versions  # type: ignore[attr-defined]


class MediumForm(forms.Form):
    """What one model works with, said or corrected."""

    medium = forms.ChoiceField(
        label=gettext_lazy("Works with"),
        help_text=gettext_lazy("Claimants are told of which kinds there are models, nothing else about them."),
        choices=SAID,
    )

    def __init__(self, model: AiModel, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["medium"].initial = model.medium
        self.model = model

    def save(self, actor: Actor) -> str:
        """Say it; says what was said."""
        said = catalogue.medium_say(model=self.model, medium=Medium(self.cleaned_data["medium"]), actor=actor)
        return f"{said.name}: {said.get_medium_display()}"


class DeploymentForm(_OfModel):
    """A place where a version answers."""

    place = forms.CharField(label=gettext_lazy("Place"), max_length=120, validators=[one_line])
    pointer = forms.CharField(
        label=gettext_lazy("Pointer"), required=False, max_length=500, validators=[one_line],
        help_text=gettext_lazy(
            "File that tells the serving process which weights to load; empty where people replace by hand."
        ),
    )  # fmt: skip

    def save(self, actor: Actor) -> str:
        """Register; says what was registered."""
        data = self.cleaned_data
        pointer = Path(data["pointer"]) if data["pointer"] else None
        return str(
            catalogue.deployment_register(version=data["version"], place=data["place"], pointer=pointer, actor=actor)
        )


class RecipientForm(_OfModel):
    """Another organisation that received a version."""

    name = forms.CharField(label=gettext_lazy("Recipient"), max_length=120, validators=[one_line])
    received_on = forms.DateField(label=gettext_lazy("Received"), widget=DateField)
    email = forms.EmailField(label=gettext_lazy("E-mail address for notices"), required=False)

    def save(self, actor: Actor) -> str:
        """Register; says what was registered."""
        data = self.cleaned_data
        return str(
            catalogue.recipient_register(
                version=data["version"],
                name=data["name"],
                received_on=data["received_on"],
                email=data["email"],
                actor=actor,
            )
        )
