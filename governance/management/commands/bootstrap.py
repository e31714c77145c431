"""`manage.py bootstrap`: secrets (made before settings are read), databases, seal. Safe to repeat."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from governance.evidence import dsse
from governance.evidence.checkpoint import verifier_key
from governance.evidence.identity import CERTIFICATE_FILE, certificate_fingerprint
from governance.secrets import BASE_DIR, home
from governance.services import feed_signing, own_keys, seals


class Command(BaseCommand):
    """Prepare an installation."""

    help = "Make this installation's secrets and seal where they are missing, and bring its databases up to date."

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate both databases, collect static files, pack the verifier for strangers, make the seal, sign feeds."""
        for alias in ("keyring", "default"):
            call_command("migrate", database=alias, verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        packed = [sys.executable, str(BASE_DIR / "scripts" / "verifier.py"), str(settings.VERIFIER.parent)]
        subprocess.run(packed, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - constants
        make_seal(folder := Path(settings.SEAL_FOLDER or home() / "seal"))
        feed_signing.feeds_sign(folder)
        if options["verbosity"]:
            self.stdout.write("\n".join(told()))


def told() -> list[str]:
    """What has to reach strangers by another way than the reports: print it, put it on paper and on your own site."""
    return [
        f"Fingerprint of the seal: sha256:{certificate_fingerprint(settings.SEAL_CERTIFICATE)}",
        f"Key of the ledger: {settings.LEDGER_VERIFIER.read_text().strip()}",
        f"Key of statements about models: sha256:{dsse.pem_fingerprint(settings.MODEL_VERIFIER.read_bytes())}",
        f"Key of the feeds: {settings.FEED_VERIFIER.read_text().strip()}",
        f"Strangers find them at {settings.BASE_URL}/verify/ and {settings.BASE_URL}/.well-known/lethe-trust.json",
    ]


def make_seal(folder: Path) -> None:
    """The issuer's seal and the keys beside it, for the signing worker alone; their public halves for everybody."""
    if not (folder / CERTIFICATE_FILE).exists():
        seals.seal_make(folder)
    own_keys.ledger_make(folder)
    if not settings.SEAL_CERTIFICATE.exists():
        settings.SEAL_CERTIFICATE.write_bytes((folder / CERTIFICATE_FILE).read_bytes())
    if not settings.LEDGER_VERIFIER.exists():
        settings.LEDGER_VERIFIER.write_text(
            verifier_key(settings.LEDGER_ORIGIN, own_keys.ledger_open(folder).public_key()) + "\n"
        )
    own_keys.models_make(folder)
    if not settings.MODEL_VERIFIER.exists():
        settings.MODEL_VERIFIER.write_bytes(dsse.public_pem(own_keys.models_open(folder).public_key))
    make_feed_key(folder)


def make_feed_key(folder: Path) -> None:
    """The same of the feeds' key; one that was a secret of the web processes stays the same key."""
    own_keys.feed_take_over(folder)
    own_keys.feed_make(folder)
    if not settings.FEED_VERIFIER.exists():
        settings.FEED_VERIFIER.write_text(own_keys.feed_public(own_keys.feed_open(folder)) + "\n")
