"""The fields of the organisation as pages name them."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from governance.notifications.languages import LANGUAGES
from governance.services import organisation as service

#: Field -> label, in the order of the form.
LABELS = {
    **service.TEXTS,
    "place": gettext_lazy("Place of the calendar"),
    "languages": gettext_lazy("Languages of public pages"),
}


def shown(value: Any) -> str:
    """A field's value in words."""
    if isinstance(value, (list, tuple)):
        return ", ".join(LANGUAGES[code].english for code in value) or _("all seven")
    return str(value) or _("not named")
