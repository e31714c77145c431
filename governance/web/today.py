"""What is to be done today, in order: the first page of legal officers and approvers. Every row has its one step."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from governance.models import Case
from governance.policies import Actor, Permission, may
from governance.selectors import jobs as select_jobs
from governance.selectors import queue as select_queue
from governance.selectors import today as select
from governance.selectors.today import Block
from governance.web import case_words, job_failures, letter_pages, message_tabs
from governance.web.duty_pages import day
from governance.web.guards import staff
from governance.web.queue import counted

P = Permission
Context = dict[str, Any]
#: Key of a `Waits` -> what came in, and what is done with it.
CAME = {
    "answer": (gettext_lazy("The claimant answered our question"), gettext_lazy("Read the answer")),
    "proof": (gettext_lazy("A proof waits for a person's judgement"), gettext_lazy("Judge the proof")),
    "document": (gettext_lazy("A document answers our doubt"), gettext_lazy("Look at the document")),
    "appeal": (gettext_lazy("An appeal"), gettext_lazy("Read the appeal")),
    "complaint": (gettext_lazy("A complaint"), gettext_lazy("Read the complaint")),
}
#: Key -> what waits for the second signature, and the page where it is given; empty: the case's own.
SIGN = {
    "decision": (gettext_lazy("A decision about each record"), ""),
    "return": (gettext_lazy("Giving works back"), ""),
    "plan": (gettext_lazy("A plan that an engineer chose"), ""),
    "release": (gettext_lazy("The release of a version, for legal"), ""),
    "hold": (gettext_lazy("The end of a legal hold"), ""),
    "lift": (gettext_lazy("A record to be let back into training"), "duties"),
    "abuse": (gettext_lazy("A finding of abuse"), ""),
    "policy": (gettext_lazy("Verification policy %(n)s"), "policies"),
    "order": (gettext_lazy("An order about a version"), "versions"),
    "patch": (gettext_lazy("The publication of a patch"), "patches"),
    "withdrawal": (gettext_lazy("The withdrawal of a published patch"), "patches"),
    "erasure": (gettext_lazy("The destruction of a person's data"), "retention"),
}


@gzip_page
@require_safe
@staff(P.SEE_TODAY)
def today(request: HttpRequest) -> HttpResponseBase:
    """The page; `?days=14` looks further ahead, `?of=desk` at everybody's cases."""
    actor, now = Actor.of(request.user), timezone.localdate()
    wanted = request.GET.get("days", "")
    days = int(wanted) if wanted in {str(n) for n in select.AHEAD} else select.DEFAULT_AHEAD
    desk = request.GET.get("of") == "desk"
    late = select.overdue(actor, desk=desk)
    soon = select.due_within(actor, days, desk=desk)
    came, signatures = select.came_in(actor, desk=desk), select.second_signatures(actor)
    stuck, drafts = select.letters(actor)
    onward = select_queue.next_waiting(actor)
    blocks = [
        _late(late, now, actor, desk),
        _soon(soon, now, days, desk),
        *_stopped(select.stopped(actor, desk=desk), now, desk),
        _came(came),
        _signatures(signatures, actor),
        _letters(stuck, drafts),
        _texts(),
    ]
    context = {
        "conclusion": headline(late.count, soon.count, signatures.count, days),
        "filters": _filters(days, desk),
        "blocks": blocks,
        "next_url": reverse("case", args=[onward.public_id]) if onward else "",
        "today": now,
    }
    return render(request, "casework/today.html", context)


def headline(late: int, soon: int, signatures: int, days: int) -> str:
    """`3 cases are past their date, 2 fall due within 7 days, 4 signatures wait for you`."""
    parts = []
    if late:
        said = ngettext("%(n)s case is past its date", "%(n)s cases are past their date", late)
        parts.append(said % {"n": counted(late)})
    if soon:
        said = ngettext("%(n)s falls due within %(d)d days", "%(n)s fall due within %(d)d days", soon)
        parts.append(said % {"n": counted(soon), "d": days})
    if signatures:
        said = ngettext("%(n)s signature waits for you", "%(n)s signatures wait for you", signatures)
        parts.append(said % {"n": counted(signatures)})
    return ", ".join(parts) or _("Nothing is due within %(d)d days, and no signature waits for you") % {"d": days}


def _filters(days: int, desk: bool) -> list[Context]:
    ahead = [
        {"value": str(n), "label": _("%(n)d days") % {"n": n}, "selected": n == days} for n in select.AHEAD
    ]  # fmt: skip
    whose = [
        {"value": "", "label": _("mine and nobody's"), "selected": not desk},
        {"value": "desk", "label": _("the whole desk's"), "selected": desk},
    ]
    return [
        {"name": "days", "label": _("Look ahead"), "options": ahead},
        {"name": "of", "label": _("Cases"), "options": whose},
    ]


def _block(name: str, title: Any, count: int, rows: list[Context], empty: Any, **more: Any) -> Context:
    told = {"shown": len(rows), "count": counted(count)}
    return {
        "id": name,
        "title": title,
        "count": told["count"],
        "some": count > 0,
        "cut": _("The first %(shown)d of %(count)s.") % told if count > len(rows) else "",
        "rows": rows,
        "empty": empty,
        **more,
    }


def _case_row(case: Case, now: date) -> Context:
    row = case_words.row(case, now, url=reverse("case", args=[case.public_id]))
    free = case.officer is None
    return {
        "url": row["url"], "text": case.number, "mono": True, "note": f"{case.get_kind_display()}, {row['law']}",
        "stage": row["stage"]["label"], "left": row["left"], "due": row["due"], "with_": row["with_"], "free": free,
        "take_url": reverse("case_take", args=[case.public_id]) if free else "",
    }  # fmt: skip


def _list(desk: bool, **chosen: Any) -> str:
    """The queue, narrowed to what a block holds: the reader's cases and nobody's, or the desk's."""
    query = {"officer": "others" if desk else "own", **chosen}
    return f"{reverse('cases')}?{urlencode(query)}"


def _late(block: Block, now: date, actor: Actor, desk: bool) -> Context:
    """Each with the letter that says so, where none was written yet."""
    told = select.told_late(block.rows)
    rows = [_case_row(case, now) for case in block.rows]
    if may(actor, P.WRITE_LETTER):
        for case, row in zip(block.rows, rows, strict=True):
            if case.pk not in told:
                link = reverse("case_letter", args=[case.public_id])
                row["step"] = {"url": f"{link}?template=late", "text": _("Write that the answer is late")}
    return _block(
        "late", _("Past the last lawful day"), block.count, rows, _("No case of this list is past its date."),
        key="o", url=_list(desk, view="late"), cases=True,
        note=_("The law is broken in these cases already; each day makes it worse."),
    )  # fmt: skip


def _soon(block: Block, now: date, days: int, desk: bool) -> Context:
    title = ngettext("Due within %(n)d day", "Due within %(n)d days", days) % {"n": days}
    rows = [_case_row(case, now) for case in block.rows]
    url = _list(desk, state="running", due_from=now, due_to=now + timedelta(days=days))
    return _block("soon", title, block.count, rows, _("Nothing of this list falls due so soon."), key="w", url=url,
                  cases=True, calendar_url=reverse("calendar"))  # fmt: skip


def _stopped(block: Block, now: date, desk: bool) -> list[Context]:
    """Cases that wait for a job which failed; nothing where there is none, as on most days."""
    if not block.count:
        return []
    jobs = select_jobs.stopped_each(block.rows)
    rows = [_case_row(case, now) for case in block.rows]
    for case, row in zip(block.rows, rows, strict=True):
        if job := jobs.get(case.pk):
            why = job_failures.why(job) or job.get_state_display()
            row["note"] = f"{job_failures.ridden(job, case)} {why}".strip()
            row["step"] = {"url": reverse("job", args=[job.pk]), "text": _("See why it stopped")}
    return [_block(
        "stopped", _("Stopped work"), block.count, rows, "", key="", url=_list(desk, view="stopped"), cases=True,
        note=_("A job of these cases failed or was cancelled. An engineer lets it run again; the clock runs on."),
    )]  # fmt: skip


def _came(found: Block) -> Context:
    rows = []
    for one in found.rows:
        title, step = CAME[one.what]
        assert one.case is not None  # noqa: S101 - what comes in belongs to a case
        link = reverse("case", args=[one.case.public_id])
        rows.append({"url": link, "text": one.case.number, "mono": True, "note": title, "since": day(one.since),
                     "step": {"url": link, "text": step}})  # fmt: skip
    return _block("came", _("What came in"), found.count, rows, _("No answer, proof, appeal or complaint waits."))


def _signatures(found: Block, actor: Actor) -> Context:
    rows = []
    for one in found.rows:
        title, page = SIGN[one.what]
        link = reverse("case", args=[one.case.public_id]) if one.case else reverse(page)
        words = str(title) % {"n": one.number} if "%" in str(title) else str(title)
        who = _("proposed by %(who)s") % {"who": one.by} if one.by else ""
        rows.append({"url": link, "text": one.case.number if one.case else words, "mono": one.case is not None,
                     "note": ", ".join(part for part in (words if one.case else "", who) if part),
                     "since": day(one.since), "step": {"url": link, "text": _("Read and sign")}})  # fmt: skip
    url = f"{reverse('cases')}?view=second" if may(actor, P.APPROVE) else ""
    return _block("second", _("Waits for your second signature"), found.count, rows,
                  _("Nobody waits for your signature."), key="s", url=url)  # fmt: skip


def _letters(stuck: Block, drafts: Block) -> Context:
    rows = [
        {"url": reverse("message", args=[one.public_id]), "text": message_tabs.title(one),
         "note": one.case.number if one.case else "", "state": message_tabs.state(one),
         "since": day(one.created_at),
         "step": {"url": reverse("message", args=[one.public_id]), "text": _("See why, and send it again")}}
        for one in stuck.rows
    ]  # fmt: skip
    for one in drafts.rows:
        link = f"{reverse('case_letter', args=[one.case.public_id])}?template={one.template}"
        rows.append({"url": link, "text": one.template.replace("_", " "), "note": one.case.number,
                     "since": day(one.at), "step": {"url": link, "text": _("Go on writing")}})  # fmt: skip
    return _block(
        "letters", _("Letters to send"), stuck.count + drafts.count, rows,
        _("Every letter has left, and none is half written."), key="m", url=reverse("outbox"), stated=True,
    )  # fmt: skip


def _texts() -> Context:
    """The letters' texts that counsel or a translator has not read."""
    found = letter_pages.unread()
    rows = [
        {"url": reverse("letter", args=[text.name, text.language]), "text": text.name.replace("_", " "),
         "note": _("%(language)s, version %(n)d") % {"language": letter_pages.tongue(text), "n": text.version},
         "state": state, "step": {"url": reverse("letter", args=[text.name, text.language]), "text": _("Read it")}}
        for text, state in found[: select.SHOWN]
    ]  # fmt: skip
    return _block(
        "texts", _("Letters' texts that nobody has reviewed"), len(found), rows, _("Every text was reviewed."),
        key="", url=reverse("letters"), stated=True, note=_("A letter from such a text says so at its end."),
    )  # fmt: skip
