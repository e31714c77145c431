"""The pages of a request after the first: one group of questions each. `items` are the works or facts that it names."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from governance.clocks import laws_for
from governance.forms_renderer import ChoiceCards
from governance.models import Capacity, Kind
from governance.services.intake import MAX_ITEMS, Acts, Item
from governance.validators import no_nul
from governance.web.forms import LAW_NAMES

LINE = 1000
PAIRS = 3


def _text(label: Any, hint: Any, required: Any = "", *, rows: int = 3, limit: int = LINE) -> forms.CharField:
    return forms.CharField(
        label=label, help_text=hint, required=bool(required), max_length=limit, validators=[no_nul],
        widget=forms.Textarea(attrs={"rows": rows}), error_messages={"required": required} if required else None,
    )  # fmt: skip


class FactsForm(forms.Form):
    """Facts about a person, one on each line."""

    facts = _text(
        gettext_lazy("Which facts?"),
        gettext_lazy("One on each line, as a whole sentence: “… lives at 4 Mill Lane in Ardry.”"),
        gettext_lazy("Write at least one fact that the model should no longer know."),
        rows=6,
        limit=MAX_ITEMS * LINE,
    )

    def clean_facts(self) -> list[str]:
        """One fact a line."""
        lines = [line.strip() for line in self.cleaned_data["facts"].splitlines() if line.strip()]
        if len(lines) > MAX_ITEMS:
            raise ValidationError(
                _("%(n)d facts in one request; write at most %(limit)d at a time.")
                % {"n": len(lines), "limit": MAX_ITEMS}
            )
        return lines

    def items(self) -> list[Item]:
        """Every fact. Titles stay in the language of the house: its people and its report use them."""
        return [
            Item(form="fact", title=f"Fact {number}", text=fact)
            for number, fact in enumerate(self.cleaned_data["facts"], 1)
        ]


class SituationForm(forms.Form):
    """GDPR Art. 21: what in the person's own situation speaks against the use of the data."""

    situation = _text(
        gettext_lazy("What in your situation speaks against it?"),
        gettext_lazy(
            "One or two sentences are enough. Against direct marketing you need no reason: write “marketing”."
        ),
        gettext_lazy("Needed: an objection rests on your own situation (GDPR Art. 21(1))."),
    )

    def items(self) -> list[Item]:
        """The situation, which is read and never looked for."""
        return [Item(form="context", title="The person's situation", text=self.cleaned_data["situation"])]


class LawForm(forms.Form):
    """Under which law."""

    law = forms.ChoiceField(
        label=gettext_lazy("Which law applies where you live?"),
        help_text=gettext_lazy("It sets by when we must answer. If you are not sure, choose the law of your country."),
        error_messages={"required": gettext_lazy("Choose the law; it sets by when we must answer.")},
        widget=ChoiceCards(),
    )

    def __init__(self, *args: Any, kind: Kind, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        laws = laws_for(kind)
        field = cast(forms.ChoiceField, self.fields["law"])
        field.choices = [(law.code, LAW_NAMES.get(law.code, law.title)) for law in laws]
        cast(ChoiceCards, field.widget).notes = {law.code: law.ground(kind) for law in laws}


class PassagesForm(forms.Form):
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

    def items(self) -> list[Item]:
        """Every passage, named after what is wrong with it; the question that led there comes last."""
        data = self.cleaned_data
        harm = {"unsafe": "It is dangerous", "toxic": "It is hateful or abusive", "illegal": "It is illegal"}[
            data["harm"]
        ]
        parts = [part.strip() for part in data["passages"].replace("\r\n", "\n").split("\n---\n") if part.strip()]
        items = [Item(form="text", title=f"{harm} ({n})", text=part) for n, part in enumerate(parts, 1)]
        return [*items, *([Item(form="context", title="The question", text=data["prompt"])] if data["prompt"] else [])]


class StatementsForm(forms.Form):
    """False or outdated statements, each beside what is right."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for n in range(1, PAIRS + 1):
            self.fields[f"wrong_{n}"] = _text(
                _("False or outdated statement %(n)d") % {"n": n}, _("As the model says it."), rows=2
            )
            self.fields[f"right_{n}"] = _text(
                _("What is right instead of statement %(n)d") % {"n": n},
                _("Leave it empty if the statement should only go."),
                rows=2,
            )

    def clean(self) -> dict[str, Any]:
        """At least one statement; no correction of nothing."""
        data = super().clean() or {}
        pairs = [(n, data.get(f"wrong_{n}", "").strip(), data.get(f"right_{n}", "").strip()) for n in _NUMBERS]
        for n, wrong, right in pairs:
            if right and not wrong:
                self.add_error(f"wrong_{n}", _("Write what the model says wrongly; the right statement stands below."))
            if wrong and wrong == right:
                self.add_error(f"right_{n}", _("Both statements are the same."))
        if not any(wrong for _n, wrong, _right in pairs) and not self.errors:
            raise ValidationError({"wrong_1": _("Write at least one statement that is false or outdated.")})
        return data

    def items(self) -> list[Item]:
        """Every statement with its correction."""
        data = self.cleaned_data
        return [
            Item(form="fact", title=f"Statement {n}", text=data[f"wrong_{n}"].strip(),
                 replacement=data[f"right_{n}"].strip())
            for n in _NUMBERS if data[f"wrong_{n}"].strip()
        ]  # fmt: skip


_NUMBERS = range(1, PAIRS + 1)

_MANDATE = gettext_lazy("I declare that %(name)s gave me a mandate for this request, or that I may act by law.")


class SendForm(forms.Form):
    """What is declared with the request: a plain declaration, never an oath."""

    declared = forms.BooleanField(
        label=gettext_lazy("I declare that these works are mine, or that I act for whoever holds the rights in them."),
        error_messages={"required": gettext_lazy("Tick the declaration, or let the holder of the rights file this.")},
    )
    mandate = forms.BooleanField(
        error_messages={"required": gettext_lazy("Tick the declaration, or let the person ask for themselves.")}
    )

    share = forms.BooleanField(
        required=False,
        label=gettext_lazy("Others may have fingerprints of my works, so that they can leave them out too."),
        help_text=gettext_lazy(
            "Your request does not depend on it. They stand in our public list of opt-outs without your name and "
            "without a title. Nobody can read a work from them; whoever has a text can test whether your work is in "
            "it. You can take this back on your private page; who read the list before may have kept it."
        ),
    )

    def __init__(self, *args: Any, kind: Kind, acts: Acts, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if kind is not Kind.COPYRIGHT:
            del self.fields["declared"], self.fields["share"]
        if acts.capacity == Capacity.SELF:
            del self.fields["mandate"]
        else:
            self.fields["mandate"].label = str(_MANDATE) % {"name": acts.principal}
