"""What must not stand in a log: the secret part of a private link."""

from __future__ import annotations

import logging
import re

_SECRET = re.compile(r"/(status|confirm|requests|draft)/[^/\s\"']+")


class MaskLinks(logging.Filter):
    """Cuts the secret out of addresses in a record's text and arguments."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True: the record stays, the secret goes."""
        text = record.getMessage()
        masked = _SECRET.sub(r"/\1/…", text)
        if masked != text:
            record.msg, record.args = masked, None
        return True
