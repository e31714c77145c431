"""Forms for everybody beside opt-out and erasure: objection, unsafe content, correction."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from governance.clocks import laws_for
from governance.forms_renderer import ChoiceCards
from governance.models import Kind
from governance.services.intake import MAX_ITEMS, Item
from governance.validators import no_nul
from governance.web.forms import LAW_NAMES, PersonForm, PrivacyForm

LINE = 1000
PAIRS = 3


def _text(label: Any, hint: Any, required: Any = "", *, rows: int = 3, limit: int = LINE) -> forms.CharField:
    return forms.CharField(
        label=label, help_text=hint, required=bool(required), max_length=limit, validators=[no_nul],
        widget=forms.Textarea(attrs={"rows": rows}), error_messages={"required": required} if required else None,
    )  # fmt: skip


class ObjectionForm(PrivacyForm):
    """GDPR Art. 21: which data, and what in the person's own situation speaks against its use."""

    kind = Kind.OBJECTION
    situation = _text(
        gettext_lazy("What in your situation speaks against it?"),
        gettext_lazy(
            "One or two sentences are enough. Against direct marketing you need no reason: write “marketing”."
        ),
        gettext_lazy("Needed: an objection rests on your own situation (GDPR Art. 21(1))."),
    )

    field_order = ("name", "email", "facts", "situation", "law")

    def items(self) -> list[Item]:
        """Every fact, and the situation beside them."""
        situation = self.cleaned_data["situation"]
        return [*super().items(), Item(form="context", title=_("The person's situation"), text=situation)]


class SafetyForm(PersonForm):
    """Unsafe or toxic content: what the model said, and to which question."""

    passages = _text(
        gettext_lazy("What did the model say?"),
        gettext_lazy("Copy it as it stood. A line that holds only --- begins the next passage."),
        gettext_lazy("Copy at least one passage that the model should no longer produce."),
        rows=6,
        limit=MAX_ITEMS * LINE,
    )
    prompt = _text(gettext_lazy("What did you ask it?"), gettext_lazy("If you remember; it helps us to test it again."))
    harm = forms.ChoiceField(
        label=gettext_lazy("What is wrong with it?"),
        choices=[
            ("unsafe", gettext_lazy("It is dangerous")),
            ("toxic", gettext_lazy("It is hateful or abusive")),
            ("illegal", gettext_lazy("It is illegal")),
        ],
        widget=ChoiceCards(),
        error_messages={"required": gettext_lazy("Choose what is wrong with it.")},
    )
    field_order = ("passages", "prompt", "harm", "name", "email")

    def law_code(self) -> str:
        """The rule of the house: no law sets a clock for such a report."""
        return laws_for(Kind.SAFETY)[0].code

    def items(self) -> list[Item]:
        """Every passage, named after what is wrong with it; the question that led there comes last."""
        data = self.cleaned_data
        harm = str(dict(cast(forms.ChoiceField, self.fields["harm"]).choices)[data["harm"]])  # type: ignore[arg-type]
        parts = [part.strip() for part in data["passages"].replace("\r\n", "\n").split("\n---\n") if part.strip()]
        items = [Item(form="text", title=f"{harm} ({n})", text=part) for n, part in enumerate(parts, 1)]
        return [
            *items,
            *([Item(form="context", title=_("The question"), text=data["prompt"])] if data["prompt"] else []),
        ]


class CorrectionForm(PersonForm):
    """False or outdated statements, each beside what is right."""

    law = forms.ChoiceField(
        label=gettext_lazy("Which law applies where you live?"),
        help_text=gettext_lazy("It sets by when we must answer."),
        error_messages={"required": gettext_lazy("Choose the law; it sets by when we must answer.")},
        widget=ChoiceCards(),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        laws = laws_for(Kind.CORRECTION)
        field = cast(forms.ChoiceField, self.fields["law"])
        field.choices = [(law.code, LAW_NAMES.get(law.code, law.title)) for law in laws]
        for n in range(1, PAIRS + 1):
            self.fields[f"wrong_{n}"] = _text(
                _("False or outdated statement %(n)d") % {"n": n}, _("As the model says it."), rows=2
            )
            self.fields[f"right_{n}"] = _text(
                _("What is right instead of statement %(n)d") % {"n": n},
                _("Leave it empty if the statement should only go."),
                rows=2,
            )
        pairs = [f"{side}_{n}" for n in range(1, PAIRS + 1) for side in ("wrong", "right")]
        self.order_fields([*pairs, "law", "name", "email"])

    def clean(self) -> dict[str, Any]:
        """At least one statement; no correction of nothing."""
        data = super().clean() or {}
        pairs = [(n, data.get(f"wrong_{n}", "").strip(), data.get(f"right_{n}", "").strip()) for n in self._numbers()]
        for n, wrong, right in pairs:
            if right and not wrong:
                self.add_error(f"wrong_{n}", _("Write what the model says wrongly; the right statement stands below."))
            if wrong and wrong == right:
                self.add_error(f"right_{n}", _("Both statements are the same."))
        if not any(wrong for _n, wrong, _right in pairs) and not self.errors:
            raise ValidationError({"wrong_1": _("Write at least one statement that is false or outdated.")})
        return data

    def _numbers(self) -> range:
        return range(1, PAIRS + 1)

    def items(self) -> list[Item]:
        """Every statement with its correction."""
        data = self.cleaned_data
        return [
            Item(form="fact", title=_("Statement %(n)d") % {"n": n}, text=data[f"wrong_{n}"].strip(),
                 replacement=data[f"right_{n}"].strip())
            for n in self._numbers() if data[f"wrong_{n}"].strip()
        ]  # fmt: skip
