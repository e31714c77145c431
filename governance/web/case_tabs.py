"""The parts of a case, one a tab: each reads only what it shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from governance import dispatch
from governance.errors import KeyDestroyed
from governance.models import (
    Answer,
    Capacity,
    Case,
    ClaimedItem,
    Deployment,
    Disposal,
    Match,
    Plan,
    Release,
    Status,
)
from governance.policies import Actor, Permission, may, may_read
from governance.selectors.letters import letters_of
from governance.services import learned
from governance.services.additions import Where, where
from governance.web import (
    case_desk,
    case_files,
    case_matches,
    case_papers,
    message_tabs,
    plan_view,
    proof_actions,
    recipient_words,
)
from governance.web.case_history import method_inside, method_title
from governance.web.case_panel import address, when
from governance.web.probes import margin_words, state_of_plan
from governance.web.propose_form import ProposeForm
from governance.web.shard_map import cost_facts, shard_map

S = Status
Context = dict[str, Any]
#: So many hits stand in the table at once.
HITS = 60


@dataclass(frozen=True, kw_only=True)
class Look:
    """Who looks at which case, what was asked of the page, and whether hits can be decided singly here."""

    case: Case
    actor: Actor
    hits: list[Match]
    query: Mapping[str, str]
    exceptions: bool = False
    #: The form of the proposal, fresh or as it was sent with errors.
    form: Any = None
    #: The whole file: every hit and every work, for paper.
    whole: bool = False


def day(moment: Any) -> str:
    """`26 October 2026`."""
    return date_format(moment, "j F Y")


def _request(look: Look) -> Context:
    case = look.case
    facts = [
        (_("Asked by"), _("name and contact masked")),
        (_("Came by"), case.get_channel_display()),
        (_("Received"), day(case.received_on)),
    ]
    if case.capacity != Capacity.SELF:
        facts.append((_("Asks"), case.get_capacity_display()))
    if case.entered_by:
        facts.append((_("Entered by"), str(case.entered_by)))
    if case.parent:
        facts.append((_("Follows"), case.parent.number))
    adds = may(look.actor, Permission.ENTER_CASE) and where(case) is not Where.NOWHERE
    return {
        "tab_template": "casework/_tab_request.html",
        "works_add_url": reverse("case_works", args=[case.public_id]) if adds else "",
        "request_facts": facts,
        "works": [_work(look, item) for item in case.items.all()] + [_answer(look, one) for one in case.answers.all()],
    }


def _answer(look: Look, answer: Answer) -> Context:
    title = _("Answer to our question, %(when)s") % {"when": when(answer.given_at)}
    if not may_read(look.case, look.actor):
        return {
            "title": title,
            "note": _("Read by legal officers and approvers only."),
            "text": "[[" + _("fact") + "]]",
        }
    return {"title": title, "note": "", "text": case_matches.masked(look.case, answer.text)}


def _work(look: Look, item: ClaimedItem) -> Context:
    title = case_matches.item_title(look.case, item, look.actor).replace("[[", "").replace("]]", "")
    if not may_read(look.case, look.actor):
        hidden = _("Read by legal officers and approvers only.")
        return {"title": title, "note": hidden, "text": "[[" + _("fact") + "]]"}
    text = case_matches.masked(look.case, item.text)
    long = len(text) > case_matches.SHOWN
    note = item.get_form_display()
    if long:
        note = _("%(form)s, the first %(shown)d of %(total)d characters") % {
            "form": note, "shown": case_matches.SHOWN, "total": len(text)}  # fmt: skip
    return {"title": title, "note": note, "text": text[: case_matches.SHOWN] + ("…" if long else "")}


def _proof(look: Look) -> Context:
    reads = may(look.actor, Permission.REVEAL_PERSON)
    rows = [
        [
            {"text": f"P{p.level}", "strong": True, "note": p.get_level_display()},
            proof_actions.told(p, reads),
            str(p.recorded_by or _("the claimant")),
            when(p.recorded_at),
        ]
        for p in look.case.proofs.select_related("recorded_by").order_by("recorded_at", "id")
    ] + [[*cells[:3], when(cells[3])] for cells in proof_actions.pending(look.case, look.actor)]
    return {
        "tab_template": "casework/_tab_plain.html",
        "tab_title": _("Proof"),
        "tab_note": _("Never more is asked than the effect needs: exclusion needs P1; a change of weights P3 or P4 for "
                      "works, P5 for a private person."),
        "tab_columns": [_("Level"), _("How it was checked"), _("Recorded by"), _("When")],
        "tab_rows": rows,
        "tab_empty": _("Nothing was shown yet."),
    }  # fmt: skip


def _matches(look: Look) -> Context:
    current, match = case_matches.shown(look.case, look.hits, look.actor, look.query.get("hit", ""))
    first, last = _window(look, current)
    form = look.form if look.exceptions and isinstance(look.form, ProposeForm) else None
    total, sent = len(look.hits), form.sent() if form else {}
    return {
        "tab_template": "casework/_tab_matches.html",
        "matches": case_matches.on_paper(look.case, look.hits, look.actor) if look.whole else [match] if match else [],
        "groups": case_matches.groups(
            look.case, look.hits[first:last], look.actor, current, sent=sent, first=first + 1, paper=look.whole
        ),
        "exceptions": form is not None,
        "grounds": form.grounds if form else [],
        "against": form.exceptions() if form else [],
        "window": _("Hits %(first)d to %(last)d of %(total)d") % {"first": first + 1, "last": last, "total": total}
        if last - first < total else "",
        "earlier_url": f"?tab=matches&hit={max(1, first + 1 - HITS)}" if first else "",
        "later_url": f"?tab=matches&hit={last + 1}" if last < total else "",
        "searched": look.case.status not in (S.RECEIVED, S.PROOF, S.REVIEW, S.INFORMATION, S.MATCHING),
    }  # fmt: skip


def _window(look: Look, current: Match | None) -> tuple[int, int]:
    """The stretch of hits that stands in the table: the one around the hit that is read."""
    total = len(look.hits)
    if look.whole or total <= HITS:
        return 0, total
    at = look.hits.index(current) if current else 0
    first = at // HITS * HITS
    return first, min(first + HITS, total)


def _plan(look: Look) -> Context:
    plans = look.case.plans.select_related(
        "base__model", "reference__model", "controls", "candidate__model", "chosen_by", "confirmed_by", "verification"
    )
    return {
        "tab_template": "casework/_tab_plan.html",
        "plans": [_plan_facts(plan, look.actor) for plan in plans.order_by("-attempt")],
        "withdrawal": plan_view.withdrawal(look.case.pk),
        **plan_view.score(look.actor),
        "verification_url": reverse("verification", args=[look.case.public_id])
        if look.case.plans.filter(verification__isnull=False).exists()
        else "",
    }


def _controls(plan: Plan) -> str:
    return _("never-seen controls: %(name)s") % {"name": plan.controls} if plan.controls else _("never-seen controls")


def _plan_facts(plan: Plan, actor: Actor) -> Context:
    entry = dispatch.METHODS.get(plan.method)
    facts: list[Any] = [
        (_("Method"), method_title(plan.method)),
        (_("Guarantee"), entry.guarantee.value if entry else _("unknown")),
        (_("Changes"), str(plan.base)),
        (_("Forgets"), _("%(n)d records") % {"n": plan.forget_count}),
        (_("Judged against"), str(plan.reference) if plan.reference else _controls(plan)),
        (_("Seed"), str(plan.seed)),
        {"label": _("Records to forget"), "value": plan.forget_ids, "digest": True},
        {"label": _("Thresholds"), "value": plan.policy_digest, "digest": True},
    ]
    if plan.chosen_by and plan.chosen_at:
        facts.append((_("Chosen"), f"{plan.chosen_by}, {when(plan.chosen_at)}"))
    if plan.confirmed_by and plan.confirmed_at:
        facts.append((_("Confirmed"), f"{plan.confirmed_by}, {when(plan.confirmed_at)}"))
    if plan.candidate:
        facts.append((_("Result"), str(plan.candidate)))
    verification = getattr(plan, "verification", None)
    return {
        "title": _("Plan %(n)d: %(method)s") % {"n": plan.attempt, "method": method_inside(plan.method)},
        "summary": entry.summary if entry else "",
        "state": state_of_plan(plan),
        "word": plan.get_state_display() if verification is None else verification.verdict.replace("_", " "),
        "facts": facts,
        "margins": margin_words(plan.policy),
        **plan_view.ranked(plan),
        **_deletion(plan),
    }


def _deletion(plan: Plan) -> Context:
    """Of a deletion from a lineage: its shard map, and what it takes."""
    if not plan.deletion:
        return {}
    cost: list[Any] = list(cost_facts(plan.deletion))
    if plan.leader_id:
        cost.insert(0, (_("Rides along"), _("with another case's deletion; this plan trains nothing of its own")))
    cost.append({"label": _("Lineage"), "value": plan.deletion["lineage"], "digest": True})
    return {"shards": shard_map(plan.deletion["counts"], plan.deletion["first_slices"]), "cost": cost}


def _release(look: Look) -> Context:
    case = look.case
    release = Release.objects.filter(case=case).select_related("version__model").first()
    ours = Q(version__in=case.plans.values("base"))
    if plan := case.plans.filter(candidate=release.version).select_related("base").first() if release else None:
        ours |= Q(pk__in=learned.followed(plan).values("pk"))
    places = Deployment.objects.filter(ours).select_related("version__model", "replaced_by__model", "changed_by")
    together = Plan.objects.filter(candidate__in=case.plans.values("candidate")).values("case")
    gone = Disposal.objects.filter(Q(case=case) | Q(case__in=together)).select_related("version__model")
    can = bool(release and release.released_at and release.legal_at) and may(look.actor, Permission.UPDATE_DEPLOYMENT)
    return {
        "tab_template": "casework/_tab_release.html",
        "release": release,
        "places": [_place(place) for place in places.order_by("id")],
        "place_action": address(case, "place") if can and case.status == S.RELEASE else "",
        "place_states": [c for c in Deployment.State.choices if c[0] in ("pending", "replaced", "unreachable")],
        **recipient_words.of_case(case, look.actor),
        "deletion_columns": [_("What"), _("Version"), _("Digest"), _("Deletion")],
        "deletion_rows": [
            [d.get_what_display(), str(d.version), {"digest": d.artifact}, deletion_words(d)]
            for d in gone.order_by("due_on", "id")
        ],
    }


PLACE_STATES = {
    "serving": "at_risk", "pending": "waiting", "replaced": "pass", "unreachable": "at_risk",
    "withdrawing": "waiting", "withdrawn": "paused",
}  # fmt: skip


def _place(place: Deployment) -> Context:
    return {
        "pk": place.pk,
        "place": place.place,
        "version": str(place.version),
        "value": place.state,
        "state": PLACE_STATES[place.state],
        "word": place.get_state_display(),
        "note": _("by %(version)s, %(when)s") % {"version": place.replaced_by, "when": when(place.changed_at)}
        if place.replaced_by
        else when(place.changed_at),
        "pointer": bool(place.pointer),
    }


def deletion_words(disposal: Disposal) -> str:
    """When old weights go, or went."""
    if disposal.deleted_at:
        return _("deleted %(day)s") % {"day": day(timezone.localdate(disposal.deleted_at))}
    return _("on %(day)s") % {"day": day(disposal.due_on)}


def _letters(look: Look) -> Context:
    written = {message.letter_id: message for message in letters_of(look.case)}
    opens = may(look.actor, Permission.SEE_OUTBOX)
    rows = []
    for letter in look.case.letters.all():
        message = written.get(letter.pk)
        name: Context = {"text": letter.template.replace("_", " "), "note": letter.language}
        if message and opens:
            name["url"] = reverse("message", args=[message.public_id])
        rows.append([name, when(letter.created_at), message_tabs.state(message) if message else _("not sent yet")])
    link = reverse("case_letter", args=[look.case.public_id])
    write = {"label": _("By hand"), "value": _("Write a letter, or look at one before it goes out"), "url": link}
    return {
        "tab_template": "casework/_tab_plain.html",
        "tab_title": _("Letters"),
        "tab_note": _(
            "Letters hold the claimant's name and private link, so their text is shown to the claimant alone. The "
            "signed closing letter, without the link, opens under Report for who may read the name."
        ),
        "tab_facts": [write] if may(look.actor, Permission.WRITE_LETTER) else [],
        "tab_columns": [_("Letter"), _("Written"), _("Sent")],
        "tab_rows": rows,
        "tab_empty": _("No letter was written yet."),
    }


TABS: Mapping[str, tuple[Any, Callable[[Look], Context]]] = {
    "request": (gettext_lazy("Request"), _request),
    "proof": (gettext_lazy("Proof"), _proof),
    "matches": (gettext_lazy("Matches"), _matches),
    "plan": (gettext_lazy("Plan"), _plan),
    "release": (gettext_lazy("Release"), _release),
    "report": (gettext_lazy("Report"), lambda look: case_papers.tab(look.case, look.actor)),
    "files": (gettext_lazy("Files"), lambda look: case_files.tab(look.case, look.actor)),
    "letters": (gettext_lazy("Letters"), _letters),
    "notes": (gettext_lazy("Notes"), lambda look: case_desk.notes(look.case, look.actor)),
    "beside": (gettext_lazy("Beside"), lambda look: case_desk.beside(look.case, look.actor)),
}
_FIRST = {
    S.PROOF: "proof", S.MATCHING: "matches", S.DECISION: "matches", S.PLANNING: "plan", S.UNLEARNING: "plan",
    S.VERIFICATION: "plan", S.RELEASE: "release", S.REPORTING: "report", S.NOTIFICATION: "report", S.CLOSED: "report",
}  # fmt: skip


def current(case: Case, wanted: str) -> str:
    """The tab that was asked for, else the one that belongs to the case's stage."""
    return wanted if wanted in TABS else _FIRST.get(S(case.status), "request")


def links(case: Case, hits: int, now: str) -> list[Context]:
    """The row of tabs, with counts where something is counted."""
    found = Case.objects.filter(pk=case.pk).aggregate(
        proof=Count("proofs", distinct=True),
        plan=Count("plans", distinct=True),
        files=Count("uploads", distinct=True),
        letters=Count("letters", distinct=True),
        notes=Count("notes", distinct=True),
    )
    counts = {**found, "matches": hits}
    tabs = [
        {
            "label": f"{label}, {counts[name]}" if counts.get(name) else str(label),
            "url": f"?tab={name}",
            "current": name == now,
        }
        for name, (label, _build) in TABS.items()
    ]
    if case.plans.filter(verification__isnull=False).exists():
        address = reverse("verification", args=[case.public_id])
        tabs.insert(4, {"label": _("Verification"), "url": address, "current": False})
    return tabs


def parts(look: Look) -> list[Context]:
    """Every part of the case for the printed file; a part whose person was erased says so."""
    found = []
    for name, (label, build) in TABS.items():
        try:
            # Nothing is done on paper.
            context = {**build(look), "part": name, "paper": True, "place_action": "", "tell_action": ""}
            html = render_to_string(context["tab_template"], context)
        except KeyDestroyed as error:
            html = render_to_string("components/notice.html", {"kind": "info", "title": " ".join(error.messages)})
        found.append({"label": label, "html": html})
    return found
