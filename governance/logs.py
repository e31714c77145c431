"""What must not stand in a log, nor in what is shown to others: the secret part of a private link."""

from __future__ import annotations

import logging
import re

#: The part of an address after which its secret stands.
_BEFORE = "status|confirm|requests|draft|batches|deadlines|accounts/password/reset"
_SECRET = re.compile(rf"/({_BEFORE})/[^/\s\"']+")


def without_secrets(text: str) -> str:
    """The text with every private link cut short."""
    return _SECRET.sub(r"/\1/…", text)


class MaskLinks(logging.Filter):
    """Cuts the secret out of addresses in a record's text and arguments."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True: the record stays, the secret goes."""
        text = record.getMessage()
        masked = without_secrets(text)
        if masked != text:
            record.msg, record.args = masked, None
        return True
