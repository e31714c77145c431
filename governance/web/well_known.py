"""What this installation itself says to machines, and the signed feed of opt-outs that others subscribe to."""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta
from typing import cast

from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.feedgenerator import Atom1Feed
from django.utils.http import http_date
from django.views.decorators.http import conditional_page, require_safe

from governance.models import Feed, PatchPublication
from governance.selectors import organisation
from governance.services import feed_pages, known_keys, patch_feed
from governance.web.limits import limited
from governance.web.reserving import reserved

#: A statement on security contacts ends, so that an old one is not trusted (RFC 9116, 2.5.5).
SECURITY_DAYS = 90
#: What a name may hold and no XML can (XML 1.0, 2.2).
_UNFIT = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: Private links stand below these.
PRIVATE = ("/status/", "/confirm/", "/receipt/")


def _text(text: str, status: int = 200) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")


def _page(feed: Feed, mark: int) -> HttpResponse:
    """A page of a feed, the very bytes that the signing worker signed: no process that serves it has the key."""
    page = feed_pages.page_at(feed, mark)
    if page is None or known_keys.is_lost(page.key):
        why = "The key of this feed was withdrawn, and the next one is not in use yet." if page else (
            "This page of the feed is not signed yet.")  # fmt: skip
        response = _text(f"{why} Try again later.\n", 503)
        response["Retry-After"] = "60"
        return response
    response = HttpResponse(bytes(page.body), content_type="application/feed+json; charset=utf-8")
    return _kept(response, cast(datetime, page.issued_at))


def _kept(response: HttpResponse, issued: datetime) -> HttpResponse:
    """What readers ask by when they come again; the decorator answers 304 to it."""
    response["Cache-Control"] = "public, max-age=300"
    response["Last-Modified"] = http_date(issued.timestamp())
    return response


def _mark(request: HttpRequest, name: str) -> int:
    """The mark of the page before."""
    text = request.GET.get(name, "0")
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise Http404
    return int(text)


@require_safe
def security(request: HttpRequest) -> HttpResponseBase:
    """Whom to tell about a weakness (RFC 9116); not found where nobody is configured."""
    if not settings.SECURITY_CONTACT:
        raise Http404
    day = (timezone.now() + timedelta(days=SECURITY_DAYS)).date().isoformat()
    lines = [
        f"Contact: {settings.SECURITY_CONTACT}",
        f"Expires: {day}T00:00:00Z",
        "Preferred-Languages: en",
        f"Canonical: {settings.BASE_URL}{reverse('security_txt')}",
    ]
    return _text("\n".join(lines) + "\n")


@require_safe
def tdmrep(request: HttpRequest) -> HttpResponseBase:
    """What we reserve in our own pages (TDMRep), with the way to the policy in words."""
    policy = settings.TDM_POLICY or settings.BASE_URL + reverse("ai_txt")
    rule = {"location": "/", "tdm-reservation": int(reserved()), "tdm-policy": policy}
    return JsonResponse([rule], safe=False)


@require_safe
def ai_txt(request: HttpRequest) -> HttpResponseBase:
    """The same as ai.txt, both in Spawning's form and in the later one; and where others' opt-outs are told."""
    lines = [
        "# What may be done with the pages of this site. Opt-outs of others that we read:",
        f"# {settings.BASE_URL}{reverse('opt_out_feed')}",
        "User-Agent: *",
        "Disallow: /" if reserved() else "Allow: /",
        f"Training: {'deny' if reserved() else 'allow'}",
        *([f"Contact: {organisation.current().contact}"] if organisation.current().contact else []),
    ]
    return _text("\n".join(" ".join(line.split()) for line in lines) + "\n")


@require_safe
def robots(request: HttpRequest) -> HttpResponseBase:
    """Private links are not for crawlers; the rest may be fetched, and what may be done with it is said."""
    said = f"ai-train={'no' if reserved() else 'yes'}"
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in PRIVATE), f"Content-Signal: {said}"]
    return _text("\n".join(lines) + "\n")


@require_safe
@limited("feed", methods=("GET", "HEAD"))
@conditional_page
def feed(request: HttpRequest) -> HttpResponseBase:
    """The signed feed; `after` is the mark of the page before, `works` that among fingerprints, which come last."""
    if "works" in request.GET:
        return _page(Feed.WORKS, _mark(request, "works"))
    return _page(Feed.OPT_OUTS, _mark(request, "after"))


@require_safe
@limited("feed", methods=("GET", "HEAD"))
@conditional_page
def patches(request: HttpRequest) -> HttpResponseBase:
    """The signed feed of published patches."""
    return _page(Feed.PATCHES, _mark(request, "after"))


@require_safe
@limited("feed", methods=("GET", "HEAD"))
@conditional_page
def patches_atom(request: HttpRequest) -> HttpResponseBase:
    """The same for feed readers. It is not signed: whoever applies a patch reads the JSON feed."""
    document = patch_feed.newest()
    issued = datetime.fromisoformat(document["issued_at"])
    feed = _Atom(
        document["title"], settings.BASE_URL, "Signed: /feeds/patches.json", author_name=document["authors"][0]["name"],
        feed_url=settings.BASE_URL + reverse("patch_feed_atom"), feed_guid=patch_feed.page_url(0),
        issued=issued,
    )  # fmt: skip
    for item in document["items"]:
        feed.add_item(
            _UNFIT.sub("\N{REPLACEMENT CHARACTER}", item["title"]), item.get("url", settings.BASE_URL),
            f"{item['content_text']} {item['_lethe']['patch']}",
            unique_id=item["id"], pubdate=datetime.fromisoformat(item["date_published"]),
            updateddate=datetime.fromisoformat(item["date_modified"]),
        )  # fmt: skip
    response = HttpResponse(feed.writeString("utf-8"), content_type="application/atom+xml; charset=utf-8")
    return _kept(response, issued)


class _Atom(Atom1Feed):
    """An Atom feed whose last change is that of the signed one, also where it is empty."""

    def latest_post_date(self) -> datetime:
        """When it was issued."""
        return cast(datetime, self.feed["issued"])


@require_safe
@limited("pages", methods=("GET", "HEAD"))
def patch_file(request: HttpRequest, public_id: uuid.UUID, name: str, stated: bool = False) -> HttpResponseBase:
    """A file of a published patch or of its statements, in pieces; gone (410) once it was withdrawn."""
    found = PatchPublication.objects.select_related("patch__job").filter(public_id=public_id).first()
    if found and found.withdrawal:
        return _text("This patch was withdrawn; the feed says why.\n", status=410)
    stream = patch_feed.published_file(found, name, stated=stated) if found else None
    if stream is None:
        raise Http404
    return FileResponse(stream, as_attachment=True, filename=name)


patterns: list[URLPattern] = [
    path("robots.txt", robots, name="robots_txt"),
    path("ai.txt", ai_txt, name="ai_txt"),
    path(".well-known/ai.txt", ai_txt, name="well_known_ai_txt"),
    path(".well-known/security.txt", security, name="security_txt"),
    path(".well-known/tdmrep.json", tdmrep, name="tdmrep_json"),
    path("feeds/opt-outs.json", feed, name="opt_out_feed"),
    path("feeds/patches.json", patches, name="patch_feed"),
    path("feeds/patches.atom", patches_atom, name="patch_feed_atom"),
    path("patches/public/<uuid:public_id>/<str:name>", patch_file, name="patch_file"),
    path("patches/public/<uuid:public_id>/statements/<str:name>", patch_file, {"stated": True}, name="patch_statement"),
]
