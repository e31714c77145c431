"""Why a message did not go out, and whether trying again can help."""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"[^\s<>()\"'=:,;]+@[^\s<>()\"',;]+")


class SendFailed(Exception):
    """`permanent`: no further try will help. `bounced`: the receiver's side says that there is no such address."""

    def __init__(self, why: str, *, permanent: bool = False, bounced: bool = False) -> None:
        self.why, self.permanent, self.bounced = without_addresses(why), permanent or bounced, bounced
        super().__init__(self.why)


def without_addresses(text: str) -> str:
    """The text in one line, at most 300 characters, and without the e-mail addresses that servers like to quote."""
    return _ADDRESS.sub("…", " ".join(text.split()))[:300]
