"""Cases of another system, from a CSV file: looked at first, then taken over."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from governance.errors import GovernanceError
from governance.policies import Actor, Permission
from governance.services import imports
from governance.web.guards import staff


class ImportForm(forms.Form):
    """The file, whether claimants are written to, and whether it is only looked at."""

    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        help_text=gettext_lazy("UTF-8, at most 20 MB; the first line names the columns."),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,text/csv"}),
    )
    tell = forms.BooleanField(label=gettext_lazy("Write a receipt to every claimant"), required=False)
    dry = forms.BooleanField(label=gettext_lazy("Only look: file nothing yet"), required=False, initial=True)


@require_http_methods(["GET", "HEAD", "POST"])
@staff(Permission.ENTER_CASE, decide=True)
def page(request: HttpRequest) -> HttpResponseBase:
    """The form; every problem of the file with its line, or what would be and what was taken over."""
    form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
    status, seen = 200, ""
    if form.is_bound:
        status = 422
        if form.is_valid():
            data = form.cleaned_data
            try:
                found = imports.cases_import(
                    data=data["file"].read(), actor=Actor.of(request.user), tell=data["tell"], dry=data["dry"]
                )
            except GovernanceError as error:
                status = error.status
                for problem in error.messages:
                    form.add_error("file", problem)
            else:
                if not data["dry"]:
                    messages.success(request, _words(found, done=True))
                    return redirect("cases")
                status, seen = 200, _words(found, done=False)
    crumbs = [{"label": _("Cases"), "url": reverse("cases")}, {"label": _("Take over cases")}]
    context: dict[str, Any] = {"form": form, "crumbs": crumbs, "seen": seen, "needed": imports.NEEDED,
                               "optional": imports.OPTIONAL}  # fmt: skip
    return render(request, "casework/import.html", context, status=status)


def _words(found: imports.Imported, *, done: bool) -> str:
    n = len(found.filed)
    if done:
        text = ngettext("%(n)d case was taken over.", "%(n)d cases were taken over.", n)
    else:
        text = ngettext("%(n)d case would be taken over.", "%(n)d cases would be taken over.", n)
    known = ngettext("%(n)d is here already.", "%(n)d are here already.", found.known) % {"n": found.known}
    return f"{text % {'n': n}} {known}" if found.known else text % {"n": n}
