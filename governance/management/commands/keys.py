"""`manage.py keys list|csr|install-certificate|rotate|revoke`: the seals, with the signing worker's variables."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from governance.errors import GovernanceError
from governance.evidence import seal_class
from governance.models import Seal
from governance.secrets import home
from governance.services import seal_ends, seal_requests


class Command(BaseCommand):
    """Ends with 1 where the step was refused, and says why."""

    help = "List the seals, have the present one certified, replace it by a new key, or revoke one."

    def add_arguments(self, parser: CommandParser) -> None:
        """One verb."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="every seal, since when, until when and why")
        verbs.add_parser("rotate", help="a new key takes over; the present one is retired and destroyed")
        csr = verbs.add_parser(
            "csr", help="a certificate request (PKCS#10, PEM) for an authority, signed by the seal's key"
        )
        csr.add_argument(
            "--new", action="store_true", help="for a new key, which takes over when its certificate comes"
        )
        csr.add_argument("--out", type=Path, metavar="FILE", help="write it there; to the terminal without it")
        install = verbs.add_parser("install-certificate", help="what the authority issued, after it was found to fit")
        install.add_argument("file", type=Path, help="the certificate, with those above it where it brings them")
        install.add_argument("--chain", type=Path, action="append", default=[], metavar="FILE",
                             help="certificates of the authorities above it, up to the root")  # fmt: skip
        revoke = verbs.add_parser("revoke", help="a seal that is not to be believed for anything sealed since a time")
        revoke.add_argument("fingerprint")
        revoke.add_argument("--since", help="2026-11-29 or 2026-11-29T12:00:00; now without it")
        revoke.add_argument("--reason", choices=Seal.Reason.values, default=Seal.Reason.COMPROMISED)

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and say what strangers have to be told."""
        settings.SEAL_FOLDER = settings.SEAL_FOLDER or str(home() / "seal")
        try:
            getattr(self, f"_{options['verb'].replace('-', '_')}")(options)
        except (GovernanceError, OSError) as error:
            raise CommandError(str(error)) from error

    def _list(self, _options: dict[str, Any]) -> None:
        for row in seal_ends.known():
            ended = f"{row.reason} {row.ended_at:%Y-%m-%d %H:%M} UTC" if row.ended_at else "in use"
            self.stdout.write(f"sha256:{row.fingerprint}  {row.kind}  since {row.began_at:%Y-%m-%d}  {ended}")

    def _rotate(self, _options: dict[str, Any]) -> None:
        new = seal_ends.seal_rotate()
        self.stdout.write(f"The new seal: sha256:{new.fingerprint}\nPublish it as you published the one before.")

    def _csr(self, options: dict[str, Any]) -> None:
        made = seal_requests.request_make(new=options["new"]).decode()
        if options["out"] is None:
            self.stdout.write(made)
            return
        options["out"].write_text(made)
        self.stdout.write(f"{options['out']}: have it signed for sealing documents (RFC 9336), then run "
                          "`manage.py keys install-certificate` with what comes back.")  # fmt: skip

    def _install_certificate(self, options: dict[str, Any]) -> None:
        row = seal_requests.certificate_install(options["file"], options["chain"])
        found = x509.load_pem_x509_certificate(row.certificate.encode())
        self.stdout.write(
            f"Installed: sha256:{row.fingerprint}, {seal_class.seal_class(found)}, issued by "
            f"{seal_class.organisation(found.issuer)}, valid to {found.not_valid_after_utc:%Y-%m-%d}. The certificate "
            "before it is retired; publish the new fingerprint as you published the one before."
        )

    def _revoke(self, options: dict[str, Any]) -> None:
        try:
            moment = datetime.fromisoformat(options["since"]) if options["since"] else timezone.now()
        except ValueError as error:
            raise CommandError(f"--since {options['since']!r} is no time.") from error
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        row = seal_ends.seal_revoke(fingerprint=options["fingerprint"], at=moment, reason=options["reason"])
        self.stdout.write(f"sha256:{row.fingerprint} ended: {row.reason}. The trust file says so from now on.")
