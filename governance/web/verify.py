"""Is this report or sample genuine? Anyone may ask. The file is judged by a child process with bounds, and not kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from threading import BoundedSemaphore
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from governance.evidence import proof_steps
from governance.evidence.errors import EvidenceError, SealError
from governance.evidence.identity import certificate_fingerprint
from governance.evidence.printing import day, moment
from governance.evidence.report_kinds import has_bundle
from governance.models import SigningKey
from governance.secrets import BASE_DIR
from governance.services import known_keys, renewals, seal_ends, witnesses
from governance.web import ledger_picture, trust_pages, verify_sample, verify_sheet
from governance.web.forms import ReportForm
from governance.web.limits import limited
from governance.web.verify_sheet import SheetForm

#: Wall clock for one file, and how many files one web process judges at a time.
SECONDS = 40
_turns = BoundedSemaphore(2)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@limited("verify")
def verify(request: HttpRequest) -> HttpResponseBase:
    """Upload a PDF or a bundle, or type what a sheet of paper prints; read what it is."""
    form, sheet, result = ReportForm(), SheetForm(), None
    if "number" in request.POST:
        sheet = SheetForm(request.POST)
        result = verify_sheet.answer(**sheet.cleaned_data) if sheet.is_valid() else None
    elif request.method == "POST":
        form = ReportForm(request.POST, request.FILES)
        result = judged(form.cleaned_data["file"].read()) if form.is_valid() else None
        form = ReportForm() if result else form
    context = {"form": form, "sheet": sheet, "result": result, "told": told(), "back_url": reverse("home")}
    return render(request, "claimant/verify.html", context, status=422 if form.errors or sheet.errors else 200)


def judged(data: bytes) -> dict[str, Any]:
    try:
        trusted = {**seal_ends.trusted(), "witnesses": [one.key for one in witnesses.configured()]}
    except (SealError, OSError):
        return _words("no_seal", {})
    if not _turns.acquire(timeout=SECONDS):
        return _words("busy", {})
    try:
        checked = _child(data, trusted)
    finally:
        _turns.release()
    if checked is None:
        return _words("unreadable", {})
    if "sample" in checked:
        return _words(verify_sample.outcome(checked), checked)
    outcome = str(checked["outcome"])
    if outcome in {"ledger_lost", "ledger_late"} and not has_bundle(checked.get("report") or {}):
        outcome = f"{outcome}_alone"
    if outcome == "genuine" and not renewals.is_registered(f"sha256:{checked['sha256']}"):
        outcome = "unregistered"
    return _words(outcome, checked)


def told() -> list[dict[str, Any]]:
    """What a stranger is told by another way than the file: our seal, the ledger's key, and where all of it is."""
    try:
        seal, key = certificate_fingerprint(settings.SEAL_CERTIFICATE), known_keys.current(SigningKey.Purpose.LEDGER)
    except (SealError, OSError):
        return []
    return [
        {"label": _("Fingerprint of our seal"), "value": f"sha256:{seal}", "digest": True},
        {"label": _("Key of our ledger"), "value": key, "mono": True},
        {"label": _("Both as a file"), "value": "lethe-trust.json", "url": reverse("trust")},
        *({"label": _lost(one), "value": one["key"], "mono": True} for one in known_keys.lost()),
        *_verifier(),
    ]  # fmt: skip


def _lost(row: dict[str, str]) -> str:
    """Which key may be in other hands, and since which day (UTC; to the second in the trust file)."""
    words = {
        SigningKey.Purpose.LEDGER: _("Key of our ledger that may be in other hands since %(day)s"),
        SigningKey.Purpose.MODELS: _("Key of our statements about models that may be in other hands since %(day)s"),
        SigningKey.Purpose.FEED: _("Key of our feeds that may be in other hands since %(day)s"),
    }
    return words[SigningKey.Purpose(row["purpose"])] % {"day": day(row["at"])}


def _verifier() -> list[dict[str, Any]]:
    """Where to get the program that checks without us."""
    digest = trust_pages.verifier_told()
    if not digest:
        return []
    return [
        {"label": _("The program that checks, one file for Python 3.11"), "value": "lethe-verify.pyz",
         "url": reverse("verifier")},
        {"label": _("SHA-256 of the program"), "value": f"sha256:{digest}", "digest": True},
        {"label": _("Command"), "value": "python3 lethe-verify.pyz FILE --trust lethe-trust.json", "command": True},
    ]  # fmt: skip


def _child(data: bytes, trusted: dict[str, Any]) -> dict[str, Any] | None:
    """The check's answer; None when the file used up the bounds or broke the parser."""
    command = [sys.executable, "-m", "governance.web.verify_child", json.dumps(trusted)]
    try:
        done = subprocess.run(  # noqa: S603 - constants and what we publish
            command,
            input=data,
            capture_output=True,
            timeout=SECONDS,
            check=False,
            cwd=BASE_DIR,
            env={"PATH": os.environ.get("PATH", "")},
        )
        return dict(json.loads(done.stdout)) if done.returncode == 0 else None
    except (subprocess.TimeoutExpired, ValueError):
        return None


_OUTCOMES: dict[str, Callable[[], tuple[str, str, str]]] = {
    "genuine": lambda: (
        "pass",
        _("This report is genuine."),
        _("We sealed it, nothing in it was changed since, and our register knows this very file."),
    ),
    "unregistered": lambda: (
        "inconclusive",
        _("Our seal holds, but we do not know this file."),
        _("It was sealed with our key, yet stands in no register of this installation. Ask us before you rely on it."),
    ),
    "altered": lambda: (
        "fail",
        _("This file is not as it was sealed."),
        _("It was changed, cut or damaged. Do not rely on it; ask whoever gave it to you for the file as we sent it."),
    ),
    "unsigned": lambda: (
        "fail",
        _("This file carries no seal."),
        _("It looks like a report, but anybody could have written it."),
    ),
    "unknown_signer": lambda: (
        "inconclusive",
        _("This report was sealed by somebody else."),
        _("The file is whole, but the seal is not ours. Ask the issuer that the report names."),
    ),
    "ended": lambda: (
        "inconclusive",
        _("The seal of this report was withdrawn."),
        _("Its key may be in other hands, and no outside time shows that the report is older. Ask us for a new one."),
    ),
    "time_ended": lambda: (
        "inconclusive",
        _("The time stamp of this report can no longer be believed."),
        _("Its authority is not believed any more, and no later stamp vouches for it. Ask us for the renewed file."),
    ),
    "ledger_lost": lambda: (
        "inconclusive",
        _("The key of our ledger was withdrawn."),
        _("It may be in other hands, and no outside time shows that this report is older. Ask us for its new bundle."),
    ),
    "ledger_lost_alone": lambda: (
        "inconclusive",
        _("The key of our ledger was withdrawn."),
        _("It may be in other hands, and no outside time shows that this file is older. Ask us whether it is ours."),
    ),
    "ledger_late": lambda: (
        "fail",
        _("This report rests on a key that may have been in other hands by then."),
        _("Nobody outside of our house saw it before that. Do not rely on it; ask us for its new bundle."),
    ),
    "ledger_late_alone": lambda: (
        "fail",
        _("This file rests on a key that may have been in other hands by then."),
        _("Nobody outside of our house saw it before that. Do not rely on it; ask us whether it is ours."),
    ),
    "not_a_report": lambda: (
        "inconclusive",
        _("This is no report of ours."),
        _("A report is a PDF with its evidence inside. This file holds none, so there is nothing to check."),
    ),
    "not_a_bundle": lambda: (
        "fail",
        _("This ZIP is no bundle of ours, or it was changed."),
        _("A bundle holds four files in one form. Upload the ZIP as you received it, or the PDF out of it."),
    ),
    "unreadable": lambda: (
        "inconclusive",
        _("This file could not be checked."),
        _("It is damaged, or it asks for more time or memory than a report needs. That says nothing about its origin."),
    ),
    "busy": lambda: (
        "inconclusive",
        _("Too many files are being checked right now."),
        _("Nothing was checked. Try again in a minute."),
    ),
    "no_seal": lambda: (
        "inconclusive",
        _("Nothing can be checked here yet."),
        _("This installation has no seal's certificate to compare with. Its operator has to run the set-up."),
    ),
}
_OUTCOMES["too_large"] = _OUTCOMES["unreadable"]


def _words(outcome: str, checked: dict[str, Any]) -> dict[str, Any]:
    kind, conclusion, sentence = (verify_sample.OUTCOMES.get(outcome) or _OUTCOMES[outcome])()
    findings, sample = list(checked.get("findings", [])), checked.get("sample")
    if outcome in {"genuine", "unregistered"}:
        known = outcome == "genuine"
        text = _("Our register knows this very file.") if known else _("Our register does not know this file.")
        findings.append({"good": known, "sentence": text})
    return {
        "kind": kind,
        "conclusion": conclusion,
        "sentence": sentence,
        "checks": [{"state": _state(one), "title": _said(one), "detail": one.get("detail", "")} for one in findings],
        "facts": _facts(checked) if sample is None else verify_sample.facts(sample),
        "picture": _picture(checked.get("proof")),
        "entries": _entries(checked.get("proof"), checked.get("sha256", "")),
        "cannot": verify_sample.cannot() if sample else [*_copied(checked), *_cannot(outcome)],
    }


def _said(finding: dict[str, Any]) -> str:
    """A finding in the reader's language; numbers and times keep their own direction."""
    values = {name: f"\u2068{value}\u2069" for name, value in finding.get("values", {}).items()}
    return gettext(finding["sentence"]) % values if values else gettext(finding["sentence"])


def _state(finding: dict[str, Any]) -> str:
    """What is open was not refuted: no more than that it cannot be shown now."""
    return "pass" if finding["good"] else "inconclusive" if finding.get("open") else "fail"


def _picture(told: dict[str, Any] | None) -> dict[str, Any] | None:
    """The proof of the report's entry as a tree."""
    if not told:
        return None
    try:
        steps = proof_steps.of_inclusion(
            leaf=bytes.fromhex(told["leaf"]), index=told["index"], size=told["size"],
            proof=[bytes.fromhex(one) for one in told["proof"]],
        )  # fmt: skip
    except EvidenceError:
        return None
    return ledger_picture.inclusion(steps, told["size"])


def _entries(told: dict[str, Any] | None, sha256: str) -> str:
    """Which of the report's two entries is drawn, and which is the other."""
    if not told:
        return ""
    names = {"evidence": told["index"], "file": renewals.sealed_entry(f"sha256:{sha256}")}
    if names["file"] is None:
        return _("A report has two entries. Entry %(evidence)s, drawn here, holds its evidence and was written before "
                 "the report was set from it. A later one holds the SHA-256 of the finished file; its proof lies in "
                 "the bundle.") % names  # fmt: skip
    return _("A report has two entries. Entry %(evidence)s, drawn here, holds its evidence and was written before the "
             "report was set from it. Entry %(file)s holds the SHA-256 of the finished file; its proof lies in the "
             "bundle.") % names  # fmt: skip


def _facts(checked: dict[str, Any]) -> list[dict[str, Any]]:
    if not checked:
        return []
    report = checked.get("report") or {}
    rows: list[dict[str, Any]] = [
        {"label": _("Report"), "value": report.get("number", ""), "mono": True},
        {"label": _("Issuer"), "value": report.get("issuer", "")},
        {"label": _("Sealed"), "value": moment(sealed) if (sealed := checked.get("sealed_at", "")) else ""},
        {"label": _("Level of the seal"), "value": checked.get("level", "")},
        {"label": _("SHA-256 of the file"), "value": checked.get("sha256", ""), "digest": True},
        {"label": _("Fingerprint of the sealing certificate"), "value": checked.get("fingerprint", ""), "digest": True},
    ]
    return [row for row in rows if row["value"]]


def _copied(checked: dict[str, Any]) -> list[str]:
    """Of a copy in another language: which file is the record."""
    copy = (checked.get("report") or {}).get("copy")
    if not copy:
        return []
    return [
        _("This is a copy in another language. The record is %(number)s, the file with this SHA-256: %(digest)s")
        % {"number": copy["of"], "digest": str(copy["pdf"]).removeprefix("sha256:")}
    ]


def _cannot(outcome: str) -> list[str]:
    if outcome not in {"genuine", "unregistered", "unknown_signer"}:
        return []
    return [
        _("Genuine means: this is what the issuer stated. The measurements in it were made by the issuer."),
        _("What the report does not cover stands in it under “Not covered”."),
    ]
