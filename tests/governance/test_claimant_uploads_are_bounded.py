"""What announces too much is refused before one byte of it is read."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import Client, RequestFactory

from governance.models import Case


class Body:
    """A body that fails the test when somebody reads it."""

    def read(self, *_args: Any) -> bytes:
        raise AssertionError("the body was read")

    readline = read


@pytest.mark.parametrize("path", ["/opt-out/", "/privacy/", "/verify/", "/api/v1/requests/"])
def test_200_megabytes_are_refused_from_their_announcement_alone(path: str) -> None:
    environ = RequestFactory().post(path).environ
    environ.update({"CONTENT_LENGTH": str(200 * 2**20), "wsgi.input": Body(), "HTTP_HOST": "localhost"})
    answered: list[str] = []
    body = b"".join(WSGIHandler()(environ, lambda status, _headers: answered.append(status)))
    assert answered == ["413 Request Entity Too Large"]
    told = (
        rb"You sent 200\xc2\xa0MB; no report of ours has more than"
        if path == "/verify/"
        else (rb"(You sent 200\xc2\xa0MB|200\\u00a0MB were sent); at most")
    )
    assert re.search(told, body)
    assert not Case.objects.exists()


def test_a_report_may_be_larger_than_a_filing(client: Client) -> None:
    big = b"x" * (22 * 2**20)
    assert client.generic("POST", "/opt-out/", big, "text/plain").status_code == 413
    assert client.generic("POST", "/verify/", big, "text/plain").status_code == 422


def test_more_fields_than_a_form_has_are_refused_in_plain_words(client: Client) -> None:
    answer = client.post("/opt-out/", {f"field_{n}": "x" for n in range(1100)})
    assert answer.status_code == 400
    assert "This could not be read." in answer.content.decode()
