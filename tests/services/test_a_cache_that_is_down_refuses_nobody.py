"""The cache in Redis: what it keeps while it answers, and that its silence is no error."""

from __future__ import annotations

import logging

import pytest

from governance.cache import ForgivingRedisCache
from tests.services.servers import free_port

OPTIONS = {"OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1}}


def test_it_keeps_what_it_is_given(redis_url: str) -> None:
    cache = ForgivingRedisCache(redis_url, OPTIONS)
    assert cache.add("spent", 1, timeout=60)
    assert not cache.add("spent", 1, timeout=60)
    cache.set("count", 3, timeout=60)
    assert cache.get("count") == 3
    assert cache.delete("count")
    assert cache.get("count", "none") == "none"


def test_a_server_that_is_down_reads_as_an_empty_memory(caplog: pytest.LogCaptureFixture) -> None:
    cache = ForgivingRedisCache(f"redis://127.0.0.1:{free_port()}/1", OPTIONS)
    with caplog.at_level(logging.WARNING, "governance.cache"):
        cache.set("count", 3, timeout=60)
        assert cache.get("count", []) == []
        assert not cache.add("spent", 1, timeout=60)
        assert not cache.delete("count")
    assert "limits do not count until it does" in caplog.text
