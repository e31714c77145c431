"""Bodies of calls: JSON in UTF-8, and sentences where it is not."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class JsonBody(JSONParser):
    """JSON, with a reason that says what to do where it cannot be read."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """The value of the body.

        Raises:
            ParseError: no JSON, no UTF-8, or nested too deeply.
        """
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error
        except ParseError as error:
            wrong = error.__context__
            if isinstance(wrong, UnicodeDecodeError):
                told = f"The body is no UTF-8: byte {wrong.start} cannot be read. Send JSON as UTF-8."
                raise ParseError(told) from error
            raise
