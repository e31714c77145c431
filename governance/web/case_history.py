"""A case's entries in the ledger as sentences. An action without words here is told by its name, never left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from governance import dispatch
from governance.clocks import law_get
from governance.models import Case, Channel, Decision, Disposition, LedgerOpening, Recheck, Role, Status
from governance.policies import Actor, Permission, may
from governance.web import duty_words

Body = Mapping[str, Any]
#: Entries closer than this belong to one act.
TOGETHER = timedelta(seconds=5)


def method_title(name: str) -> str:
    """The method as people call it."""
    return dispatch.METHODS[name].title if name in dispatch.METHODS else name


def method_inside(name: str) -> str:
    """The method's title within a sentence; abbreviations stay as they are."""
    return _lowered(method_title(name))


def _records(n: int) -> str:
    return ngettext("%(n)d record", "%(n)d records", n) % {"n": n}


def counts_words(body: Body) -> str:
    """`erase 24, refuse 1`."""
    words = {
        Decision.Choice.ERASE: _("erase %(n)d"),
        Decision.Choice.EXCLUDE: _("leave out %(n)d"),
        Decision.Choice.REFUSE: _("refuse %(n)d"),
    }
    return ", ".join(text % {"n": body[name]} for name, text in words.items() if body.get(name)) or _("nothing")


def _advanced(body: Body) -> str:
    to = Status(body["to"])
    if to == Status.CLOSED and body.get("disposition"):
        return _("closed the case: %(end)s") % {"end": Disposition(body["disposition"]).label.lower()}
    return _("moved the case to %(stage)s: %(reason)s") % {
        "stage": to.label.lower(),
        "reason": _lowered(body.get("reason", "")),
    }


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _plan(text: str) -> Callable[[Body], str]:
    return lambda b: _(text) % {
        "n": b.get("attempt", ""), "method": method_inside(str(b.get("method", ""))),
        "records": _records(int(b.get("records", 0))), "verdict": b.get("verdict", ""),
    }  # fmt: skip


def _account(body: Body) -> dict[str, Any]:
    return {"n": body["person"], "role": Role(body["role"]).label}


def _recheck(body: Body) -> str:
    """What the probes of a closed case found on a later version."""
    state = str(Recheck.State(body["state"]).label).lower()
    told = _("asked a later version about this case: %(state)s") % {"state": state}
    return _("%(told)s; case %(number)s follows") % {"told": told, "number": body["child"]} if body["child"] else told


def _policy(body: Body) -> dict[str, Any]:
    counts = [(_("%(n)d easier to pass"), body.get("easier")), (_("%(n)d harder"), body.get("harder")),
              (_("%(n)d either way"), body.get("either"))]  # fmt: skip
    return {"n": body["version"], "what": ", ".join(text % {"n": n} for text, n in counts if n)}


def _day(iso: str) -> str:
    return date_format(date.fromisoformat(iso), "j F Y")


def _disposed(what: str) -> str:
    return {
        "lineage": _("deleted the old lineage with the records it kept"),
        "checkpoints": _("deleted a checkpoint that the records may have shaped"),
        "patch": _("deleted the patch of a release, with the weights of before"),
        "cache": _("deleted what a shard's own job had stored"),
    }.get(what, _("deleted old weights"))


#: Why a case was opened that follows another.
_REOPENED = {
    "regression": gettext_lazy("opened the case: what case %(number)s had forgotten answers again"),
    "rollback": gettext_lazy("opened the case: the version from before case %(number)s was put back"),
    "appeal": gettext_lazy("appealed against the outcome of case %(number)s"),
    "complaint": gettext_lazy("complained about how case %(number)s was handled"),
    "return": gettext_lazy("gave free again what case %(number)s had taken out"),
}


WORDS: Mapping[str, Callable[[Body], str]] = {
    "case.received": lambda b: (
        (_("opened beside case %(number)s, answer due %(day)s") % {"number": b["beside"], "day": _day(b["due_on"])})
        if b.get("beside")
        else _("received by %(channel)s, answer due %(day)s")
        % {"channel": Channel(b["channel"]).label.lower(), "day": _day(b["due_on"])}
    ),
    "case.advanced": _advanced,
    "case.reopened": lambda b: str(_REOPENED[b.get("relation", "regression")]) % {"number": b.get("follows", "")},
    "case.linked": lambda b: _("linked case %(number)s") % {"number": b.get("other", "")},
    "return.proposed": lambda b: _("proposed to give back what case %(number)s holds") % {"number": b["follows"]},
    "return.refused": lambda b: _("refused to give the works back: %(why)s") % {"why": b["why"]},
    "return.taken_back": lambda b: _("took back the proposal to give the works back"),
    "return.approved": lambda b: _("gave back %(records)s") % {"records": _records(b["records"])},
    "recheck.planned": _plan("wants the probes of plan %(n)s run again on a later version"),
    "recheck.finished": lambda b: _recheck(b),
    "policy.proposed": lambda b: _("proposed verification policy %(n)s: %(what)s") % _policy(b),
    "policy.approved": lambda b: _("approved verification policy %(n)s: %(what)s") % _policy(b),
    "policy.returned": lambda b: (
        _("returned verification policy %(n)s: %(why)s") % {"n": b["version"], "why": b.get("why", "")}
    ),
    "proof.begun": lambda b: _("began to show proof, level P%(n)s") % {"n": b.get("level", "")},
    "proof.tried": lambda b: _("tried a proof, level P%(n)s: not shown") % {"n": b.get("level", "")},
    "proof.settled": lambda b: _("proof of level P%(level)s: %(state)s") % b,
    "proof.refused": lambda b: _("refused a proof, level P%(n)s") % {"n": b.get("level", "")},
    "doubt.recorded": lambda b: _("recorded a doubt about who asks"),
    "doubt.answered": lambda b: _("sent a document in answer to the doubt"),
    "doubt.settled": lambda b: (
        _("settled the doubt; the document is deleted") if b.get("document_deleted") else _("settled the doubt")
    ),
    "proof.recorded": lambda b: _("recorded proof, level P%(n)s") % {"n": b.get("level", "")},
    "matching.finished": lambda b: _("searched a dataset and found %(records)s") % {"records": _records(b["hits"])},
    **duty_words.WORDS,
    "decision.proposed": lambda b: _("proposed: %(what)s") % {"what": counts_words(b)},
    "decision.approved": lambda b: _("approved: %(what)s") % {"what": counts_words(b)},
    "decision.returned": lambda b: _("returned the proposal: %(why)s") % {"why": b.get("why", "")},
    "decision.taken_back": lambda b: _("took back the proposal"),
    "plan.proposed": _plan("proposed plan %(n)s, %(method)s, for %(records)s"),
    "plan.extended": _plan("worked out plan %(n)s anew, since other cases wait for the same version"),
    "plan.chosen": lambda b: (
        _("chose %(method)s for plan %(n)s instead of %(other)s: %(why)s")
        % {
            "n": b["attempt"],
            "method": method_inside(b["method"]),
            "other": method_inside(b["instead_of"]),
            "why": b["why"],
        }
    ),
    "model.withdrawal_proposed": lambda b: _("proposed to withdraw %(model)s: nothing is left to try") % b,
    "plan.signed": _plan("chose plan %(n)s, %(method)s, for %(records)s"),
    "plan.returned": lambda b: _("sent plan %(n)s back: %(why)s") % {"n": b["attempt"], "why": b["why"]},
    "plan.taken_back": _plan("took back the signature under plan %(n)s"),
    "plan.confirmed": _plan("confirmed plan %(n)s with its thresholds"),
    "unlearning.finished": _plan("finished the run of plan %(n)s"),
    "verification.finished": _plan("judged plan %(n)s: %(verdict)s"),
    "verification.broken": _plan("could not judge plan %(n)s; an engineer has to look"),
    "release.signed": lambda b: (
        _("signed the release for legal") if b.get("side") == "legal" else _("signed the release")
    ),
    "release.refused": lambda b: _("refused the release that was signed first: %(why)s") % {"why": b["why"]},
    "release.taken_back": lambda b: _("took back the signature under the release"),
    "release.joined": lambda b: _("found the version in service already, by another case of the same deletion"),
    "version.released": lambda b: (
        _("released the new version; the old one goes by %(day)s") % {"day": _day(b["dispose_by"])}
    ),
    "deployment.recorded": lambda b: _("recorded %(place)s as %(state)s") % {"place": b["place"], "state": b["state"]},
    "recipients.told": lambda b: _("recorded that %(n)s recipients were told") % {"n": b.get("recipients", 0)},
    "dataset.registered": lambda b: _("registered a dataset with %(records)s") % {"records": _records(b["records"])},
    "version.registered": lambda b: _("registered a version (%(state)s)") % {"state": b["state"]},
    "model.medium_said": lambda b: _("said what a model works with"),
    "deployment.registered": lambda b: _("registered the place %(place)s") % {"place": b["place"]},
    "recipient.registered": lambda b: _("registered a recipient"),
    "weights.disposed": lambda b: _disposed(str(b.get("what", "weights"))),
    "letter.written": lambda b: _("wrote a letter (%(name)s)") % {"name": b.get("template", "")},
    "letter.sent": lambda b: _("sent the letter (%(name)s)") % {"name": b.get("template", "")},
    "letter.delivered": lambda b: _("heard that the letter arrived (%(name)s)") % {"name": b.get("template", "")},
    "letter.bounced": lambda b: _("heard that the letter came back (%(name)s)") % {"name": b.get("template", "")},
    "letter.failed": lambda b: (
        _("gave up sending the letter (%(name)s) after %(n)s tries")
        % {"name": b.get("template", ""), "n": b.get("attempts", "")}
    ),
    "letter.ordered": lambda b: _("wrote to the claimant (%(name)s)") % {"name": b.get("template", "")},
    "letter.drafted": lambda b: _("prepared words for a letter (%(name)s)") % {"name": b.get("template", "")},
    "link.replaced": lambda b: _("replaced the private link"),
    "letter.language": lambda b: _("set the language of letters to %(code)s") % {"code": b.get("language", "")},
    "message.again": lambda b: _("had a letter sent again (%(name)s)") % {"name": b.get("template", "")},
    "clock.extended": lambda b: _("extended the clock to %(day)s") % {"day": _day(b["due_on"])},
    "clock.added": lambda b: (
        _("added the clock of %(law)s: %(day)s") % {"law": law_get(b["law"]).title, "day": _day(b["day"])}
    ),
    "clock.ended": lambda b: _("ended the clock of %(law)s") % {"law": law_get(b["law"]).title},
    "deadline.unconfirmed": lambda b: _("warned: receipt to be confirmed by %(day)s") % {"day": _day(b["due_on"])},
    "deadline.untold": lambda b: (
        _("warned: the notice of the extension must leave by %(day)s") % {"day": _day(b["due_on"])}
    ),
    "deadline.near": lambda b: _("warned: due %(day)s") % {"day": _day(b["due_on"])},
    "deadline.missed": lambda b: _("recorded a missed deadline: %(day)s") % {"day": _day(b["due_on"])},
    "case.assigned": lambda b: (
        _("gave the case to account %(n)s") % {"n": b["person"]} if b.get("person") else _("put the case back")
    ),
    "works.added": lambda b: ngettext("added %(n)d work", "added %(n)d works", b["items"]) % {"n": b["items"]},
    "sharing.agreed": lambda b: _("agreed that fingerprints of the works are given to others"),
    "sharing.ended": lambda b: _("took back that fingerprints of the works are given to others"),
    "texts.deleted": lambda b: _("deleted the texts that they had sent"),
    "answer.given": lambda b: _("answered our question"),
    "news.read": lambda b: _("read what the claimant wrote or sent"),
    "note.written": lambda b: _("wrote an internal note"),
    "note.struck": lambda b: _("struck an internal note"),
    "interest.declared": lambda b: _("declared a conflict of interest"),
    "abuse.proposed": lambda b: _("proposed to find abuse"),
    "abuse.found": lambda b: _("found abuse, as second person; the claimant is told"),
    "abuse.returned": lambda b: _("found no abuse"),
    "abuse.taken_back": lambda b: _("took back the proposal to find abuse"),
    "upload.received": lambda b: _("sent a file"),
    "upload.settled": lambda b: _("settled a file: %(state)s") % {"state": b["state"]},
    "hold.set": lambda b: _("set a legal hold"),
    "hold.lift_asked": lambda b: _("asked that the legal hold be lifted"),
    "hold.lift_refused": lambda b: _("refused to lift the legal hold"),
    "hold.lift_taken_back": lambda b: _("took back the request to lift the legal hold"),
    "hold.lifted": lambda b: _("lifted the legal hold"),
    "person.revealed": lambda b: (
        _("opened the closing letter %(number)s") % {"number": b["paper"]}
        if b.get("paper")
        else _("looked at the claimant's name and address")
    ),
    "organisation.proposed": lambda b: _("proposed another description of the organisation"),
    "organisation.approved": lambda b: _("signed, as second person, the description of the organisation"),
    "organisation.returned": lambda b: _("sent back a description of the organisation"),
    "people.invited": lambda b: _("invited account %(n)s") % _account(b),
    "people.created": lambda b: _("made account %(n)s (%(role)s)") % _account(b),
    "people.deactivated": lambda b: _("closed account %(n)s (%(role)s)") % _account(b),
    "people.activated": lambda b: _("activated account %(n)s again (%(role)s)") % _account(b),
    "people.second_factor_removed": lambda b: _("removed the second factor of account %(n)s (%(role)s)") % _account(b),
    "people.role_proposed": lambda b: (
        _("proposed for account %(n)s the role %(role)s") % _account({**b, "role": b["proposed"]})
    ),
    "people.role_granted": lambda b: _("signed for account %(n)s the role %(role)s") % _account(b),
    "people.role_returned": lambda b: _("sent back the role proposed for account %(n)s") % _account(b),
    "people.role_removed": lambda b: _("took the role from account %(n)s") % _account(b),
    "job.failed": lambda b: _("saw a job fail (%(kind)s)") % {"kind": b.get("kind", "")},
    "job.retried": lambda b: _("let a job run again (%(kind)s)") % {"kind": b.get("kind", "")},
    "job.cancelled": lambda b: _("cancelled a job (%(kind)s)") % {"kind": b.get("kind", "")},
    "paper.sealed": lambda b: _("signed a paper (%(kind)s)") % {"kind": b.get("kind", "")},
    "seal.made": lambda b: _("recorded a seal"),
    "seal.rotated": lambda b: _("replaced the seal"),
    "seal.ended": lambda b: _("ended a seal: %(why)s") % {"why": b.get("reason", "")},
    "key.rotated": lambda b: _("replaced a key (%(what)s)") % {"what": b.get("purpose", "")},
    "key.lost": lambda b: _("recorded that a key may be in other hands (%(what)s)") % {"what": b.get("purpose", "")},
    "report.sealed": lambda b: _("signed the report"),
    "report.taken": lambda b: _("took %(of)s (%(file)s)") % {"of": b["of"], "file": b["file"]},
    "report.copy_ordered": lambda b: _("ordered a copy of %(of)s in another language") % {"of": b["of"]},
    "feed.made": lambda b: _("made an address of a calendar of deadlines"),
    "feed.revoked": lambda b: _("revoked an address of a calendar"),
    "sample.stated": lambda b: (
        _("stated sample %(n)s: %(k)s of %(cases)s cases") % {"n": b["sample"], "k": b["n"], "cases": b["cases"]}
    ),
    "sample.drawn": lambda b: _("drew sample %(n)s: %(cases)s cases") % {"n": b["sample"], "cases": b["cases"]},
    "export.taken": lambda b: _("took an export: %(what)s, %(rows)s rows") % {"what": b["what"], "rows": b["rows"]},
}


def words(action: str, body: Body) -> str:
    """One entry as a sentence without its subject."""
    tell = WORDS.get(action)
    return tell(body) if tell else action.replace(".", " ").replace("_", " ")


def actor_words(opening: LedgerOpening) -> str:
    """Who acted: a person by name, the claimant, or a machine by what it does."""
    if opening.actor:
        return str(opening.actor)
    if opening.actor_label == "claimant":
        return _("The claimant")
    return opening.actor_label.removeprefix("system:").capitalize()


def ledger_url(case: Case, actor: Actor) -> str:
    """The entries of this case in the ledger; empty for whoever may not see the ledger."""
    return f"{reverse('ledger')}?case={case.number}" if may(actor, Permission.SEE_LEDGER) else ""


def timeline(openings: list[LedgerOpening], waiting: str = "", *, linked: bool = False) -> list[dict[str, Any]]:
    """Entries for the `timeline` tag, newest first; `waiting` is what is open now. `linked`: each leads to its proof.

    A step that followed at once from what the same person did stands in one line with it, with both ledger indexes.
    """
    found: list[dict[str, Any]] = []
    if waiting:
        found.append({"kind": "open", "actor": "", "text": waiting, "when": ""})
    rows = list(openings)
    while rows:
        opening = rows.pop(0)
        step = opening
        if rows and _followed(opening, rows[0]):
            opening = rows.pop(0)
        found.append(_line(opening, step if step is not opening else None, linked))
    return found


def _followed(step: LedgerOpening, before: LedgerOpening) -> bool:
    """Whether a step is only the consequence of the entry before it."""
    together = step.entry.at - before.entry.at < TOGETHER and step.entry_id == before.entry_id + 1
    same = (step.actor_label, step.actor_id) == (before.actor_label, before.actor_id)
    return together and same and step.entry.action == "case.advanced" != before.entry.action


def _line(opening: LedgerOpening, step: LedgerOpening | None, linked: bool) -> dict[str, Any]:
    text, indexes = words(opening.entry.action, opening.body), [opening.entry_id]
    if step:
        text = _("%(done)s; the case is at %(stage)s") % {
            "done": text,
            "stage": Status(step.body["to"]).label.lower(),
        }
        indexes.append(step.entry_id)
    return {
        "kind": "machine" if opening.actor_label.startswith("system:") else "person",
        "actor": actor_words(opening),
        "text": text,
        "when": date_format(timezone.localtime(opening.entry.at), "j M Y, H:i"),
        "ledger": [
            {"text": number_format(index, force_grouping=True),
             "url": reverse("ledger_proof", args=[index]) if linked else ""}
            for index in indexes
        ],
    }  # fmt: skip
