"""Whether the time of the answer at `/link/` tells that a case exists: 200 known addresses against 200 unknown ones.

Over HTTP against the web process of an installation of its own, askings of both kinds in a random order. What was found
stands in docs/letters-and-messages.md.
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import bootstrap, mannwhitneyu

from tests.e2e.front import Front

pytestmark = [pytest.mark.bench]

COUNT = 200
#: Below this both samples hardly come from one distribution.
LEAST_P = 0.001
FILE = f"""
import django; django.setup()
from governance.models import Kind
from governance.services.intake import Item, case_file
for n in range({COUNT}):
    case_file(kind=Kind.COPYRIGHT, law="house", name="A", email=f"known{{n}}@bench.example",
              items=[Item(form="text", title="Tide", text="Nine white rows.")])
"""


class Asking:
    """One visitor with a cookie and the token of the form; each asking comes from an address of its own."""

    def __init__(self, url: str) -> None:
        self.url, self.calls = f"{url}/link/", 0
        self.open = urllib.request.build_opener(_Stay(), urllib.request.HTTPCookieProcessor())
        page = self.open.open(self.url).read().decode()
        self.token = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[0]

    def seconds(self, email: str) -> float:
        """From the first byte of the call to the last of the answer."""
        self.calls += 1
        data = urllib.parse.urlencode({"csrfmiddlewaretoken": self.token, "email": email}).encode()
        address = f"10.1.{self.calls >> 8}.{self.calls & 255}"
        request = urllib.request.Request(self.url, data, {"X-Forwarded-For": address})  # noqa: S310 - our own address
        began = time.perf_counter()
        with self.open.open(request) as answer:
            answer.read()
            assert answer.status == 302, answer.status
        return time.perf_counter() - began


class _Stay(urllib.request.HTTPRedirectHandler):
    """The redirect is the answer."""

    def http_error_302(self, _request: object, answer: object, *_rest: object) -> object:  # type: ignore[override]
        return answer


def _apart(known: Any, unknown: Any, axis: int) -> Any:
    return np.median(known, axis=axis) - np.median(unknown, axis=axis)


def difference(known: list[float], unknown: list[float]) -> dict[str, object]:
    """Medians, their difference with a 95 % interval (bootstrap), and the probability of Mann and Whitney."""
    both = (np.array(known), np.array(unknown))
    interval = bootstrap(both, _apart, vectorized=True, method="percentile", rng=np.random.default_rng(1))
    return {
        "median_ms": [round(float(np.median(one)) * 1e3, 3) for one in both],
        "p95_ms": [round(float(np.quantile(one, 0.95)) * 1e3, 3) for one in both],
        "difference_ms": round(float(np.median(both[0]) - np.median(both[1])) * 1e3, 3),
        "interval_ms": [round(float(end) * 1e3, 3) for end in interval.confidence_interval],
        "mann_whitney_p": round(float(mannwhitneyu(*both).pvalue), 3),
    }


def test_the_time_of_the_answer_does_not_tell_whether_there_is_a_case(tmp_path: Path) -> None:
    emails = [(kind, f"{kind}{n}@bench.example") for n in range(COUNT) for kind in ("known", "unknown")]
    random.Random(1).shuffle(emails)
    with Front(
        tmp_path, LETHE_BEHIND_PROXY="1", LETHE_SSL_REDIRECT="0", DJANGO_SETTINGS_MODULE="governance.settings"
    ) as front:
        front.run("-c", FILE)
        asking = Asking(front.url)
        for n in range(20):
            asking.seconds(f"warm{n}@bench.example")
        times: dict[str, list[float]] = {"known": [], "unknown": []}
        for kind, email in emails:
            times[kind].append(asking.seconds(email))
    found = difference(times["known"], times["unknown"])
    sys.stdout.write(json.dumps(found) + "\n")
    low, high = found["interval_ms"]  # type: ignore[misc]
    assert low <= 0 <= high or float(str(found["mann_whitney_p"])) >= LEAST_P, found
