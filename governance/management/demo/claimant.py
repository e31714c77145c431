"""The artist at a browser: files the opt-out at the public form, reads the mail, follows the links. Over HTTP only."""

from __future__ import annotations

import email
import email.policy
import re
from pathlib import Path
from typing import Any

import requests
from django.conf import settings

from governance.management.demo import organisation, waiting
from governance.management.demo.console import DemoError
from governance.models import Case, Channel, Kind
from governance.services.notification import private_link

TIMEOUT = 60
LINK = re.compile(r"https?://\S+?/(confirm|status)/[a-z2-7]+/")
CSRF = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
NUMBER = re.compile(r"LT-[0-9A-Z]{5}-[0-9A-Z]{3}")


class ClaimantBrowser:
    """A browser session of the demonstration's artist."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.session = requests.Session()
        self.subject = next(
            s for s in organisation.corpus_json("subjects")["subjects"] if s["id"] == organisation.ARTIST
        )

    @property
    def status_url(self) -> str:
        """Where the artist follows the case; the secret part is shown at the end only."""
        return f"{self.base_url}/status/…"

    def status_link(self, case: Case) -> str:
        """The whole private link."""
        return private_link(case, "status")

    def known_case(self) -> Case | None:
        """The case that an earlier run filed."""
        filed = Case.objects.filter(kind=Kind.COPYRIGHT, channel=Channel.FORM).order_by("created_at")
        return filed.select_related("claimant").first()

    def file_opt_out(self) -> Case:
        """Fill in the pages, with every work as a file, and send the request."""
        who = {"name": self.subject["name"], "email": self.subject["email"], "capacity": "self"}
        works = self._send(f"{self.base_url}/opt-out/", who)
        check = self._send(works.url, {}, files=[("files", work) for work in self._files()])
        receipt = self._send(check.url, {"declared": "on"})
        number = NUMBER.search(receipt.text)
        if not number:
            raise DemoError("The receipt names no case.")
        return Case.objects.select_related("claimant").get(number=number.group())

    def _send(self, address: str, fields: dict[str, str], **files: Any) -> requests.Response:
        """Load a page, send its form, and follow to the next page."""
        token = self._csrf(self._get(address))
        answer = self.session.post(
            address,
            data={"csrfmiddlewaretoken": token, **fields},
            headers={"Referer": address},
            timeout=TIMEOUT,
            **files,
        )
        if not answer.ok or answer.url == address:
            raise DemoError(f"The form was not accepted (HTTP {answer.status_code}): {self._errors(answer.text)}")
        return answer

    def confirm_email(self) -> None:
        """Find the link in the mail and press the button behind it."""
        found: list[str] = []

        def arrived() -> bool:
            found.extend(self._links("confirm"))
            return bool(found)

        waiting.until(arrived, "The e-mail with the link", limit=60)
        page = self._get(found[-1])
        answer = self.session.post(
            found[-1], data={"csrfmiddlewaretoken": self._csrf(page)}, headers={"Referer": found[-1]}, timeout=TIMEOUT
        )
        if not answer.ok:
            raise DemoError(f"The link in the e-mail was refused (HTTP {answer.status_code}).")

    def _files(self) -> list[tuple[str, bytes, str]]:
        """Each work under its title."""
        files = []
        for data in organisation.works().values():
            title, _, text = data.decode().partition("\n")
            files.append((f"{title.strip()}.txt", text.strip().encode(), "text/plain"))
        return files

    def _links(self, purpose: str) -> list[str]:
        """Links of one purpose in the artist's mail, oldest first."""
        links = []
        for path in sorted(Path(settings.EMAIL_FILE_PATH).glob("*.log"), key=lambda p: p.stat().st_mtime):
            for part in path.read_bytes().split(b"-" * 79):
                message = email.message_from_bytes(part.strip(), policy=email.policy.default)
                if self.subject["email"] in str(message["To"]):
                    text = str(message.get_content())
                    links += [m.group() for m in LINK.finditer(text) if m.group(1) == purpose]
        return links

    def _get(self, address: str) -> str:
        answer = self.session.get(address, timeout=TIMEOUT)
        if not answer.ok:
            raise DemoError(f"{address} answered HTTP {answer.status_code}.")
        return answer.text

    @staticmethod
    def _csrf(page: str) -> str:
        found = CSRF.search(page)
        if not found:
            raise DemoError("The page has no form.")
        return found.group(1)

    @staticmethod
    def _errors(page: str) -> str:
        """What the error summary says, without its markup."""
        text = re.sub(r"<[^>]+>", " ", page.partition('class="error-summary')[2][:2000])
        return " ".join(text.split())[:400] or "no message"
