"""The one error of this package."""

from __future__ import annotations


class Refused(Exception):
    """Something does not hold. `code` is for programs, the text for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text
