"""Recipients of a case as a table: what they got, how they were told, what they answered."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from governance.models import Case, RecipientNotice
from governance.policies import Actor, Permission, may
from governance.services import recipients
from governance.web.duty_pages import day, when
from governance.web.recipient_forms import RecipientNoticeForm

Context = dict[str, Any]


def notice_cell(notice: RecipientNotice | None) -> Context:
    """How far one notice is."""
    if notice is None:
        return {"state": "waiting", "text": _("not told yet")}
    if notice.told_at:
        answered = _("answered %(when)s") % {"when": when(notice.acknowledged_at)} if notice.acknowledged_at else ""
        told = _("told %(when)s, %(how)s") % {
            "when": when(notice.told_at), "how": str(notice.get_channel_display()).lower()}  # fmt: skip
        return {"state": "pass", "text": told, "note": answered}
    if notice.channel == RecipientNotice.Channel.EXCUSED:
        return {"state": "decision", "text": _("not told, with reasons"), "note": notice.reasons}
    if notice.last_error:
        return {"state": "at_risk", "text": _("could not be delivered"), "note": notice.last_error}
    return {"state": "running", "text": _("on its way")}


def of_case(case: Case, actor: Actor) -> Context:
    """For the part Release of a case."""
    release = getattr(case, "release", None)
    released = bool(release and release.released_at and release.legal_at)
    notices = {notice.recipient_id: notice for notice in case.recipient_notices.all()} if released else {}
    found = recipients.concerned(case)
    open_ones = [one for one in found if one.pk not in notices or not notices[one.pk].settled]
    can = released and bool(open_ones) and case.is_open and may(actor, Permission.TELL_RECIPIENTS)
    return {
        "tell_form": RecipientNoticeForm(case, auto_id="recipients_%s") if can else None,
        "tell_action": reverse("case_recipients", args=[case.public_id]) if can else "",
        "recipients_csv": reverse("recipients_csv", args=[case.public_id]) if found else "",
        "recipient_columns": [_("Recipient"), _("Got"), _("Received"), _("Told")],
        "recipient_rows": [
            [one.name, recipients.what_of(one).partition(" (")[0], day(one.received_on),
             notice_cell(notices.get(one.pk))]
            for one in found
        ],
    }  # fmt: skip


def sheet_rows(case: Case) -> list[list[str]]:
    """Who received the data, for whoever asks (GDPR Art. 19, second sentence); the first row is the head."""
    notices = {notice.recipient_id: notice for notice in case.recipient_notices.all()}
    head = ["recipient", "received", "received on", "told at", "told by", "answered at", "not told because"]
    rows = [head]
    for one in recipients.concerned(case):
        notice = notices.get(one.pk)
        told = notice.told_at.isoformat(timespec="seconds") if notice and notice.told_at else ""
        answered = notice.acknowledged_at.isoformat(timespec="seconds") if notice and notice.acknowledged_at else ""
        how = str(notice.channel) if notice and notice.told_at else ""
        what, why = recipients.what_of(one), notice.reasons if notice else ""
        rows.append([one.name, what, one.received_on.isoformat(), told, how, answered, why])
    return rows
