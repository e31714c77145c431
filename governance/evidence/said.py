"""Sentences that a document of evidence holds in English, printed in the language of the page.

Evidence is written in one language, so that two documents can be compared and no figure depends on a translation. What
of it is printed stands here once more: as whole texts, and as patterns where numbers and names stand within. Both are
read by the catalogue. A text that is not here is somebody's own word and is printed as it was written.
"""

from __future__ import annotations

import functools
import re
from datetime import datetime

from django.utils.translation import get_language, gettext

from governance.evidence.numerals import apart, date_form, dated


def _(text: str) -> str:
    """Marks a text for the catalogue; Django's own mark needs settings, which a stranger's check has not yet."""
    return text


#: Whole texts: what was asked, proofs, roles and acts of those who signed, methods, families of models, the register.
TEXTS = (
    _("That the named works no longer serve to train models, and that trained models forget them."),
    _("That the personal data named in the request be erased, from training data and from trained models."),
    _("That the personal data named in the request no longer be processed to train models (objection)."),
    _("That models no longer produce the unsafe or toxic content that the report names."),
    _("That models no longer give the false or outdated statements, and give the right ones where named."),
    _("Treated under the company's policy: the law reserves rights but orders no change of weights."),
    _("Link in an e-mail"),
    _("Code on the claimant's own public profile"),
    _("Control of the claimant's domain, or a signed challenge"),
    _("Content credentials, registry number or timestamped declaration"),
    _("A known account or channel of the person"),
    _("Legal officer"), _("Approver"), _("ML engineer"), _("Release manager"), _("Executive"), _("Auditor"),
    _("Administrator"), _("No role"),
    _("proposed the decision"), _("approved the decision"), _("released the new version"),
    _("released the new version for legal"),
    _("Gradient ascent"), _("Gradient ascent with a retain term"), _("Negative preference optimisation"),
    _("Simple negative preference optimisation"), _("Alternate preference optimisation"), _("Relabelling"),
    _("Representation steering (RMU)"), _("Task-vector negation"), _("Perturbing and learning again (UNDO)"),
    _("Correction of false or outdated facts"), _("Split, unlearn, then merge (SPUNGE)"),
    _("Certified Newton step on a linear head"), _("Deletion from a sharded, sliced training (SISA)"),
    _("Retraining without the forget set"),
    _("retrained"), _("exact deletion (SISA)"), _("generation filter"), _("refusal tuning"), _("wrong-answer tuning"),
    _("preference (NPO)"), _("steering (RMU)"), _("undone by rounding"), _("one layer patched"),
    _("over-fitted to probes"), _("all works but one"), _("gradient difference"),
    _("The company's policy"), _("AI Act, code of practice on copyright"), _("AI Act"),
    _("No plan could be made."),
    _("outside of the request"),
    _("The records of several requests were taken out in one run (one pass), which a plan of another request started; "
      "the times here are those of this request's own verification."),
    _("all models are ensembles of shards, which have no hidden state of their own"),
    _("original"), _("candidate"), _("reference"), _("1 record"), _("the run failed"),
    _("the same steps, taken twice, gave different bits on this machine"),
    _("the machine that it was trained on was not checked to repeat itself"),
    _("The frozen base"), _("The tokenizer's text"),
    _("Legal duty to answer requests, or the house's own policy"),
    _("Claimants, and people named in their requests"),
    _("Name, e-mail address, works or facts named, proofs, letters, decisions"),
    _("Processors: mail provider and hosting of this installation; supervisory authorities on request"),
    _("See the retention policy below, by law"),
    _("Training sets and models"),
    _("To train models, and to remove from them what was asked to be removed"),
    _("Set by the controller for each dataset; not known to this installation"),
    _("People whose data or works are in the datasets"),
    _("Record ids, sources, licences and digests here; the texts in the artefact store"),
    _("none on record"),
    _("None by this installation itself"),
    _("Accounts of staff"),
    _("To know who decided what"),
    _("Legitimate interest in accountable decisions (GDPR Art. 5(2), 6(1)(f))"),
    _("Staff"),
    _("Name, e-mail address, role, sign-ins, signatures"),
    _("Auditors; whoever reads a report"),
    _("As long as what they signed is kept"),
    _("two people"), _("the schedule"),
    _("works themselves"), _("fingerprints"), _("works and fingerprints alike"),
    _("nothing"), _("case, accents, punctuation and line breaks changed"), _("whole work within a longer page"),
    _("first half only"), _("passage of 60 words by itself"), _("passage of 12 words by itself"),
    _("passage of 60 words within a page of others"), _("passage of 12 words within a page of others"),
    _("sentences in another order"), _("1 word in 20 replaced"), _("1 word in 10 replaced"), _("1 word in 5 replaced"),
    _("1 word in 2 replaced, as in a paraphrase"), _("1 letter in 50 mistyped"),
    _("letters replaced by ones that look alike, 1 in 50"),
    _("every word of 6 letters or more hyphenated at a line's end"),
    # As reports from before name it; that it was these words alone stood nowhere.
    _("every word hyphenated at a line's end"),
    _("text of the same kind by another"), _("text with two stock sentences in common"),
    _("text that quotes the same third work"),
    _("translations"), _("pictures, sound and film"), _("texts in other languages than English"),
    _("rewriting by a language model"), _("searches by title or address alone"),
    _("labels that a data set gives itself"),
    _("Copyright opt-out"), _("Privacy request: erasure"), _("Objection"), _("Unsafe or toxic content"),
    _("Correction or outdated information"),
    _("Names, addresses, works, letters and notes are encrypted under a key per person (AES-256-GCM), kept in a "
      "database of its own."),
    _("Destroying a person's key makes every copy of their data unreadable, also in backups, once those of the keys "
      "have rotated."),
    _("Decisions, releases, withdrawals and erasures need two people or more, enforced by the database, each with a "
      "second factor."),
    _("Every change is an entry of an append-only ledger without personal data, and so is every look at a name."),
    _("Machines that train get works as files that are deleted after use, and no database."),
)  # fmt: skip
#: Verdicts as the reasons of a case name them.
VERDICTS = (_("pass"), _("fail"), _("inconclusive"), _("damaged"), _("bad input"))
#: Texts with something within. What stands for `plans`, `asked` or `why` may itself be such texts.
PATTERNS = (
    _("chose plan %(n)s"),
    _("confirmed plan %(n)s"),
    _("Ground: %(title)s; exception: %(version)s."),
    _("Ground: %(title)s."),
    _("The run failed: %(why)s"),
    _("No plan could be made. %(why)s"),
    _("No plan ended in a version that could take the old one's place: %(plans)s."),
    _("plan %(n)s (%(title)s): %(verdict)s"),
    _("%(version)s, which learned the records, was withdrawn from service on %(day)s, so nothing was unlearned from "
      "it. The records are left out of future training."),
    _("%(version)s, which learned the records, was withdrawn from service on %(day)s, so nothing was unlearned from "
      "it. Its weights are deleted by %(until)s. The records are left out of future training."),
    _("Weights rounded to %(bits)s bits in groups of %(group)s, then asked: %(asked)s."),
    _("The smallest weights set to zero, a share of %(share)s of all, then asked: %(asked)s."),
    _("Questions put behind as many of %(prefixes)s prefixes and %(roles)s roles as fit, any answer counting, then "
      "asked: %(asked)s."),
    # As reports from before name it; that some may not fit stood nowhere.
    _("Questions put behind %(prefixes)s prefixes and %(roles)s roles, any answer counting, then asked: %(asked)s."),
    _("Up to %(examples)s retained questions with answers put in front, then asked: %(asked)s."),
    _("%(tries)s answers sampled to each question at temperature %(temperature)s, any of them counting, then asked: "
      "%(asked)s."),
    _("Trained on retained questions for %(epochs)s passes, then asked: %(asked)s."),
    _("The removed direction added back to the hidden states, chosen on the other half of the works, then asked: "
      "%(asked)s."),
    _("Relearning, %(model)s: trained again on %(taught)s facts of %(works)s works of this case in %(steps)s steps, "
      "then asked about %(facts)s facts of %(others)s others."),
    _("Relearning, %(model)s: trained again on %(taught)s facts of %(works)s never-seen controls in %(steps)s steps, "
      "then asked about %(facts)s facts of %(others)s others."),
    _("%(model)s (%(facts)s facts)"),
    _("Exact, bit for bit, by lineage %(digest)s: the weights are those that the same training without the %(count)s "
      "gives, with the same code, libraries, processor and threads."),
    _("Exact for the adapters only, bit for bit, by lineage %(digest)s: the adapters are those that the same training "
      "without the %(count)s gives, with the same code, libraries, processor and threads."),
    _("Exact for the weights, bit for bit, by lineage %(digest)s: the weights are those that the same training without "
      "the %(count)s gives, with the same code, libraries, processor and threads."),
    _("Exact for all but what is named below, bit for bit, by lineage %(digest)s: the weights are those that the same "
      "training without the %(count)s gives, with the same code, libraries, processor and threads."),
    _("Exact, by lineage %(digest)s: nothing in the weights was trained on the %(count)s that were deleted; not "
      "bit-identical, because %(why)s."),
    _("Exact for the adapters only, by lineage %(digest)s: nothing in the adapters was trained on the %(count)s that "
      "were deleted; not bit-identical, because %(why)s."),
    _("Exact for the weights, by lineage %(digest)s: nothing in the weights was trained on the %(count)s that were "
      "deleted; not bit-identical, because %(why)s."),
    _("Exact for all but what is named below, by lineage %(digest)s: nothing in the weights was trained on the "
      "%(count)s that were deleted; not bit-identical, because %(why)s."),
    _("its stages were made with different %(parts)s"),
    _("%(part)s contains or saw records."),
    _("%(part)s contains or saw records (%(note)s)."),
    _("%(part)s may contain or have seen the records."),
    _("%(part)s may contain or have seen the records (%(note)s)."),
    _("%(part)s is said not to have seen them, which nothing shows."),
    _("%(part)s is said not to have seen them, which nothing shows (%(note)s)."),
    _("%(n)s records"),
    _("Cases: %(n)s"),
    _("Data sets: %(n)s; versions: %(versions)s"),
    _("Accounts: %(n)s"),
    _("Replaced weights: %(n)s days after their replacement"),
)  # fmt: skip
#: Names within a pattern that hold several texts, and what stands between these.
_LISTS = {"plans": "; ", "asked": ", ", "why": " and "}
_DAYS = ("day", "until")
_NAMED = re.compile(r"%\((\w+)\)s")
#: What may stand for a name: words for these, a sentence's subject for `part`; every other name is a number.
_WORDS = ("why", "plans", "asked", "title", "verdict", "version", "day", "until", "digest", "parts", "note", "count")
_OTHER = {"part": r"[^.]+?", "model": r"\w+?", "n": r"\d+"}


def printed(text: str) -> str:
    """The text in the language of the page; in its own where it is nobody's standing sentence."""
    if not text or (get_language() or "en").startswith("en"):
        return text
    return _sentences(text) or text


def known(text: str) -> bool:
    """Whether the text has a translation here."""
    return text in _EVERY or any(form.fullmatch(text) for _pattern, form in _forms())


_EVERY = frozenset((*TEXTS, *VERDICTS))


def _whole(text: str) -> str:
    if text in _EVERY:
        return gettext(text)
    for pattern, form in _forms():
        if found := form.fullmatch(text):
            return gettext(pattern) % {name: _within(name, value) for name, value in found.groupdict().items()}
    return ""


def _sentences(text: str) -> str:
    """Standing sentences one after the other, or one; nothing unless each is one."""
    ends = [found.end() for found in re.finditer(r"[.)](?= )", text)]
    #: What is printed from a place on, the last place first: each is asked once, however many ways there are to cut.
    told: dict[int, str] = {}
    for start in reversed([0, *(end + 1 for end in ends)]):
        cuts = ((_whole(text[start:end]), told[end + 1]) for end in ends if end > start and told[end + 1])
        told[start] = next((f"{first} {rest}" for first, rest in cuts if first), "") or _whole(text[start:])
    return told[0]


def _within(name: str, value: str) -> str:
    if name in _LISTS:
        between = _LISTS[name]
        told = [_whole(part) or apart(part) for part in value.split(between)]
        return ("; " if name == "why" else between).join(told)
    if name in _DAYS:
        return _day(value)
    return _whole(value) or apart(value)


def _day(value: str) -> str:
    try:
        return dated(datetime.strptime(value, "%d %B %Y").date(), date_form())  # noqa: DTZ007
    except ValueError:
        return apart(value)


@functools.cache
def _forms() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Each pattern with the expression that takes its names out of a text."""
    return tuple((pattern, _form(pattern)) for pattern in PATTERNS)


def _form(pattern: str) -> re.Pattern[str]:
    parts = _NAMED.split(pattern)
    body = "".join(re.escape(part) if place % 2 == 0 else _place(part) for place, part in enumerate(parts))
    return re.compile(body, re.DOTALL)


def _place(name: str) -> str:
    return f"(?P<{name}>{'.+?' if name in _WORDS else _OTHER.get(name, '[0-9.]+')})"
