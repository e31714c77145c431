"""Private links that open nothing any more, and how to have the present one sent. Neither page tells what exists."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from governance.services import links
from governance.tokens import email_mark
from governance.validators import EMAIL_LENGTH
from governance.web.limits import NamedThrottle, spend


class LinkForm(forms.Form):
    """The address of the request."""

    email = forms.EmailField(
        label=gettext_lazy("Your e-mail address"),
        max_length=EMAIL_LENGTH,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={
            "required": gettext_lazy("Write the e-mail address that you gave in your request."),
            "invalid": gettext_lazy("Write the address whole, such as name@example.org."),
        },
    )


def gone(request: HttpRequest) -> HttpResponse:
    """Instead of the page: the same for a link that was replaced, ran out, or never was."""
    response = render(request, "claimant/link_gone.html", status=404)
    response["X-Robots-Tag"] = "noindex"
    return response


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest) -> HttpResponseBase:
    """Ask for the link; the answer is the same whether or not there is a case, and however often it was asked for."""
    form = LinkForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        if refused := spend(request, "links"):
            return refused
        email = form.cleaned_data["email"]
        # Nobody is flooded by others who ask for their link from many addresses; the page says the bound to everybody.
        if NamedThrottle("links_address", email_mark(email)).spend(request):
            links.link_ask(email=email)
        return redirect("link_sent")
    context = {"form": form, "back_url": reverse("home")}
    return render(request, "claimant/link_ask.html", context, status=422 if form.errors else 200)


@require_safe
def sent(request: HttpRequest) -> HttpResponse:
    """What happens now, if there is a case."""
    return render(request, "claimant/link_sent.html")
