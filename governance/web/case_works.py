"""Works that a letter or a call brings to a case: staff enter them by the claimants' form, and say who said so."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from governance.errors import GovernanceError
from governance.forms_renderer import ChoiceCards, DateField
from governance.models import Case, Channel
from governance.policies import Actor, Permission
from governance.services import work_files
from governance.services.additions import Source, Where, where
from governance.services.notes import MAX_TEXT
from governance.validators import no_nul
from governance.web import case_matches, filing_words
from governance.web.casework import fetch
from governance.web.guards import staff
from governance.web.work_forms import WorksForm


class ToldWorksForm(WorksForm):
    """The works, how word of them came, when, and from whom."""

    channel = forms.ChoiceField(
        label=gettext_lazy("How it came"),
        choices=[(c.value, c.label) for c in (Channel.POST, Channel.PHONE)],
        widget=ChoiceCards(cards=False),
        initial=Channel.POST,
    )
    came_on = forms.DateField(
        label=gettext_lazy("Date of receipt"),
        help_text=gettext_lazy(
            "The day on which it reached the house. Word older than the case becomes a request of its own from there."
        ),
        widget=DateField,
    )
    said = forms.CharField(
        label=gettext_lazy("Who said so, and what was said"),
        help_text=gettext_lazy("Kept as an internal note, sealed under the claimant's key."),
        max_length=MAX_TEXT,
        validators=[no_nul],
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["files"].label = _("Files of works")
        self.fields["domain"].label = _("The claimant's own website")

    def clean_came_on(self) -> Any:
        """Not in the future."""
        day = self.cleaned_data["came_on"]
        if day > timezone.localdate():
            raise ValidationError(_("The date of receipt lies in the future."))
        return day


@require_http_methods(["GET", "HEAD", "POST"])
@staff(Permission.ENTER_CASE)
def works(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """The works of the case, and more of them; whoever is told of them by post or telephone enters them here."""
    found, actor = fetch(request, public_id), Actor.of(request.user)
    if where(found) is Where.NOWHERE:
        messages.error(request, _("Nothing can be added to this request. File a new one."))
        return redirect("case", public_id=public_id)
    if request.method != "POST":
        return _page(request, found, actor, ToldWorksForm())
    form = ToldWorksForm(request.POST, request.FILES)
    target = _add(request, found, form, actor)
    if target is None:
        return _page(request, found, actor, form)
    return redirect("case_works" if "more" in request.POST else "case", public_id=target.public_id)


def _add(request: HttpRequest, case: Case, form: ToldWorksForm, actor: Actor) -> Case | None:
    """Add all of it or nothing: whoever enters a letter still has it. The case in which the works then stand."""
    if not form.is_valid():
        return None
    data, items = form.cleaned_data, form.items()
    if not items and not form.readable:
        form.add_error("files", _("Name at least one work: choose a file, paste a text or write an address."))
        return None
    source = Source(actor=actor, channel=Channel(data["channel"]), came_on=data["came_on"], said=data["said"])
    try:
        added, problems = work_files.works_add(case=case, items=items, files=form.readable, source=source)
    except GovernanceError as error:
        added, problems = None, list(error.messages)
    if added is None:
        for problem in problems:
            form.add_error(None, problem)
        return None
    for problem in problems:
        messages.error(request, problem)
    told = {"n": len(added.items), "number": added.case.number}
    if where(case) is Where.HERE and added.case != case:
        why = _("This word is older than case %(number)s, so its works are a case of their own.")
        messages.info(request, why % {"number": case.number})
    messages.success(request, _("Works added to case %(number)s: %(n)d. The claimant is being told.") % told)
    return added.case


def _page(request: HttpRequest, case: Case, actor: Actor, form: ToldWorksForm) -> HttpResponse:
    rows = [
        {
            "title": case_matches.item_title(case, item, actor).replace("[[", "").replace("]]", ""),
            "what": filing_words.what(item.form, len(item.text)),
        }
        for item in case.items.all()
    ]
    context = {
        "crumbs": [
            {"label": _("Cases"), "url": reverse("cases")},
            {"label": case.number, "url": reverse("case", args=[case.public_id])},
            {"label": _("Add works")},
        ],
        "case": case,
        "form": form,
        "works": rows,
        "beside": where(case) is Where.BESIDE,
    }
    return render(request, "casework/works_add.html", context, status=422 if form.errors else 200)
