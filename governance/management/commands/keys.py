"""`manage.py keys list|csr|install-certificate|rotate|revoke|renew`, with the signing worker's variables."""

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
from governance.models import Seal, SigningKey
from governance.secrets import home
from governance.services import key_rotation, known_keys, lost_keys, seal_ends, seal_requests

SEAL = "seal"
#: What is to be done after a key beside the seal's was lost.
AFTER: dict[str, str] = {
    SigningKey.Purpose.LEDGER: "Tell your witnesses to take it out of logs.txt. Then `keys rotate --key ledger` and "
                               "`keys renew`, which makes the bundles anew.",
    SigningKey.Purpose.MODELS: "Then `keys rotate --key models` and `keys renew`, which signs the statements anew.",
    SigningKey.Purpose.FEED: "The feeds stand still until `keys rotate --key feed`. Tell whoever was given the key.",
}  # fmt: skip
TOLD: dict[str, str] = {
    SigningKey.Purpose.LEDGER: "your witnesses, who keep the one before too",
    SigningKey.Purpose.MODELS: "whoever checks statements about models",
    SigningKey.Purpose.FEED: "whoever reads your feeds",
}


class Command(BaseCommand):
    """Ends with 1 where the step was refused, and says why."""

    help = "List seals and keys, have the present seal certified, replace a key by a new one, or revoke one."

    def add_arguments(self, parser: CommandParser) -> None:
        """One verb."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="every seal, since when, until when and why")
        rotate = verbs.add_parser("rotate", help="a new key takes over; the present one is retired and destroyed")
        rotate.add_argument("--key", choices=(SEAL, *SigningKey.Purpose.values), default=SEAL,
                            help="of the seal, the ledger, the statements about models, or the feeds")  # fmt: skip
        rotate.add_argument("--prepare", action="store_true",
                            help="only make the next key and say its public half, to be told first")  # fmt: skip
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
        verbs.add_parser("renew", help="make anew what keys signed that may be in other hands: bundles and statements")
        revoke = verbs.add_parser("revoke", help="a seal or key that is not to be believed for anything since a time")
        revoke.add_argument("fingerprint", help="of a seal, or a key as `list` writes it")
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
        lost = {row["key"]: row["at"] for row in known_keys.lost()}
        for purpose in known_keys.present():
            for key in known_keys.known(purpose):
                state = "in use" if key == known_keys.current(purpose) else "retired"
                since = f", may be in other hands since {lost[key]}" if key in lost else ""
                self.stdout.write(f"{key}  {purpose}  {state}{since}")

    def _rotate(self, options: dict[str, Any]) -> None:
        if options["key"] != SEAL:
            return self._rotate_own(options["key"], prepare=options["prepare"])
        if options["prepare"]:
            raise CommandError("The next key of the seal is made by `manage.py keys csr --new`.")
        new = seal_ends.seal_rotate()
        self.stdout.write(f"The new seal: sha256:{new.fingerprint}\nPublish it as you published the one before.")

    def _rotate_own(self, purpose: str, *, prepare: bool) -> None:
        if prepare:
            self.stdout.write(f"The next key: {key_rotation.key_prepare(purpose)}\n"
                              f"Tell it to {TOLD[purpose]}, then run this again without --prepare.")  # fmt: skip
            return
        self.stdout.write(f"The new key: {key_rotation.key_rotate(purpose)}\nThe trust file names it and those before. "
                          f"Tell it to {TOLD[purpose]}.")  # fmt: skip

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
        key = options["fingerprint"].removeprefix("sha256:")
        if purpose := lost_keys.purpose_of(key):
            return self._lose(key, purpose, moment, options["reason"])
        row = seal_ends.seal_revoke(fingerprint=options["fingerprint"], at=moment, reason=options["reason"])
        self.stdout.write(f"sha256:{row.fingerprint} ended: {row.reason}. The trust file says so from now on.")

    def _lose(self, key: str, purpose: str, moment: datetime, reason: str) -> None:
        if reason != Seal.Reason.COMPROMISED:
            raise CommandError(f"A key beside the seal's is retired by `manage.py keys rotate --key {purpose}`.")
        row = lost_keys.key_lose(key=key, at=moment)
        self.stdout.write(f"{row.public} may be in other hands since {row.lost_at:%Y-%m-%d %H:%M} UTC. The trust file "
                          f"says so from now on, and nothing more is signed with it.\n{AFTER[purpose]}")  # fmt: skip

    def _renew(self, _options: dict[str, Any]) -> None:
        done, problems = lost_keys.renew()
        for problem in problems:
            self.stderr.write(problem)
        self.stdout.write(f"{done} bundles and sets of statements were made anew; {len(problems)} could not be.")
        if problems:
            raise CommandError("What could not be made anew stays as it was: strangers cannot judge it.")
