"""Filing by the public pages, as a browser without scripts does it: one page after the other."""

from __future__ import annotations

from typing import Any

from django.test import Client

#: Page of a request -> the fields that stand on it.
PAGES = {
    "opt-out": ("works",),
    "privacy": ("facts", "law"),
    "objection": ("facts", "situation", "law"),
    "safety": ("passages",),
    "correction": ("statements", "law"),
}
PERSON = ("name", "email", "capacity", "principal")
DECLARED = ("declared", "mandate", "share")


def begin(client: Client, kind: str, data: dict[str, Any]) -> Any:
    """Send the first page."""
    who = {"capacity": "self", **{name: data[name] for name in PERSON if data.get(name) is not None}}
    return client.post(f"/{kind}/", who)


def file(client: Client, kind: str, data: dict[str, Any]) -> Any:
    """Send every page; returns the first answer that leads to no next page, or the redirect to the receipt."""
    answer = begin(client, kind, data)
    rest = {name: value for name, value in data.items() if name not in (*PERSON, *DECLARED) and value is not None}
    for page in PAGES[kind]:
        if answer.status_code != 302:
            return answer
        assert answer["Location"].endswith(f"/{page}/"), answer["Location"]
        answer = client.post(answer["Location"], rest)
    if answer.status_code != 302 or not answer["Location"].endswith("/check/"):
        return answer
    return client.post(answer["Location"], {name: data[name] for name in DECLARED if data.get(name)})
