"""How forms look: our field templates through Django's form renderer, and the few widgets with their own markup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.forms.renderers import TemplatesSetting


class LetheRenderer(TemplatesSetting):
    """Label, hint, field; errors above the field and summed up on top. Needs `django.forms` among the apps."""

    form_template_name = "forms/form.html"
    formset_template_name = "forms/formset.html"
    field_template_name = "forms/field.html"


class _Cards:
    """Choices that say what they mean and what they bring.

    `notes` and `brings` map a choice's value to a sentence. With `cards=False` the choices stand as a plain list.
    """

    def __init__(
        self,
        attrs: Mapping[str, Any] | None = None,
        choices: Iterable[tuple[str, Any]] = (),
        *,
        notes: Mapping[str, Any] | None = None,
        brings: Mapping[str, Any] | None = None,
        cards: bool = True,
    ) -> None:
        super().__init__(attrs, choices)  # type: ignore[call-arg]
        self.notes, self.brings, self.cards = dict(notes or {}), dict(brings or {}), cards

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """Adds `cards` to the widget's context."""
        context: dict[str, Any] = super().get_context(name, value, attrs)  # type: ignore[misc]
        context["widget"]["cards"] = self.cards
        return context

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Adds the note and what the choice brings, and ties both to the input for screen readers."""
        option: dict[str, Any] = super().create_option(name, value, *args, **kwargs)  # type: ignore[misc]
        option["note"], option["brings"] = self.notes.get(str(value), ""), self.brings.get(str(value), "")
        option["note_id"] = f"{option['attrs'].get('id', name)}_note"
        if option["note"] or option["brings"]:
            option["attrs"]["aria-describedby"] = option["note_id"]
        return option


class ChoiceCards(_Cards, forms.RadioSelect):
    """One of several, each on its card."""

    template_name = "forms/widgets/choices.html"


class CheckCards(_Cards, forms.CheckboxSelectMultiple):
    """Any of several, each on its card."""

    template_name = "forms/widgets/choices.html"


class DateField(forms.DateInput):
    """The browser's own date picker; the value travels as ISO 8601 in every language."""

    input_type = "date"

    def __init__(self, attrs: Mapping[str, Any] | None = None) -> None:
        super().__init__(attrs, format="%Y-%m-%d")  # type: ignore[arg-type]
