"""The report as somebody checks it who does not trust the house: the file, the issuer's trust file, nothing else."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from django.conf import settings

from governance import dispatch
from governance.evidence.bundle import trust_file
from governance.management.demo.console import DemoError, Stages
from governance.models import Case
from governance.secrets import BASE_DIR, home
from governance.services.bundles import public_bundle
from governance.services.seal_ends import trusted


@dataclass(frozen=True)
class Examined:
    """What the check said, and the lines that a program reads."""

    sentence: str
    lines: dict[str, str]


def fingerprint() -> str:
    """SHA-256 of the issuer's certificate, which a stranger is given by another way than the file."""
    certificate = x509.load_pem_x509_certificate(settings.SEAL_CERTIFICATE.read_bytes())
    return certificate.fingerprint(hashes.SHA256()).hex()


def examine(case: Case, stages: Stages) -> Examined:
    """Save the report as the claimant gets it and check it offline in a process without database or settings.

    Raises:
        DemoError: the check refuses the file.
    """
    report = case.report
    folder = home() / "reports"
    folder.mkdir(exist_ok=True)
    pdf, evidence = folder / f"{report.number}.pdf", folder / f"{report.number}.json"
    with stages.stage("A stranger verifies the report offline", f"{settings.BASE_URL}/verify/"):
        pdf.write_bytes(dispatch.read_bytes(report.pdf))
        evidence.write_bytes(dispatch.read_bytes(report.evidence))
        bundle = folder / f"{report.number}.zip" if report.proofs else None
        if bundle:
            bundle.write_bytes(public_bundle(report))
        trust = folder / "lethe-trust.json"
        trust.write_bytes(trust_file(trusted()))
        command = [sys.executable, "-m", "governance.evidence.check", str(pdf), "--trust", str(trust)]
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(BASE_DIR)}
        answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
        second = _second_opinion(bundle, trust, environment) if bundle else answer
    for one in (answer, second):
        if one.returncode != 0:
            raise DemoError(f"The report does not verify:\n{one.stdout}{one.stderr}")
    final = case.plans.exclude(confirmed_at=None).last()
    lines = {
        "case": case.number,
        "verdict": final.verification.verdict if final and hasattr(final, "verification") else "none",
        "method": final.method if final else "none",
        "disposition": case.disposition,
        "report": str(pdf),
        "evidence": str(evidence),
        **({"bundle": str(bundle)} if bundle else {}),
        "fingerprint": f"sha256:{fingerprint()}",
    }
    digest = hashlib.sha256(pdf.read_bytes()).hexdigest()
    return Examined(f"{answer.stdout.strip().splitlines()[0]} (SHA-256 {digest[:16]}…)", lines)


def _second_opinion(bundle: Path, trust: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The bundle before the program that shares no line with ours."""
    command = [sys.executable, "-m", "lethe_verify", str(bundle), "--trust", str(trust)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
