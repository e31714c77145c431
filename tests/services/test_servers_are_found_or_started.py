"""The servers of the tests: one that answers is used, an installed one is started, else the reason is told."""

from __future__ import annotations

import psycopg
import pytest
import redis
from kombu import Connection

from tests.services import servers

pytestmark = pytest.mark.services


def test_postgresql_gives_each_test_an_empty_database(postgresql_url: str) -> None:
    with psycopg.connect(postgresql_url) as connection:
        row = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert row == (0,)


def test_redis_gives_each_test_a_database_of_its_own(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    client.set("key", "value")
    assert client.get("key") == b"value"
    client.close()


def test_rabbitmq_carries_a_message(rabbitmq_url: str) -> None:
    with Connection(rabbitmq_url) as connection, connection.SimpleQueue("lethe-test-carries") as queue:
        queue.put({"id": 7})
        message = queue.get(timeout=10)
        message.ack()
        assert message.payload == {"id": 7}
        queue.consumer.cancel()
        queue.queue.delete()


@pytest.mark.parametrize("name", ["postgresql", "redis_server", "rabbitmq"])
def test_an_installed_server_is_started_when_none_answers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    running: str = getattr(servers, name)()
    answers = {"postgresql": "_postgresql_answers", "redis_server": "_redis_answers", "rabbitmq": "_rabbitmq_answers"}
    real = getattr(servers, answers[name])
    monkeypatch.setattr(servers, answers[name], lambda address: address != running and real(address))
    try:
        started: str = getattr(servers, name)()
    except servers.Missing as error:
        pytest.skip(str(error))
    assert started != running
    assert real(started)


def test_a_server_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "_redis_answers", lambda address: False)
    monkeypatch.setattr(servers.shutil, "which", lambda name: None)
    with pytest.raises(servers.Missing, match=r"^service: Redis does not answer on 127\.0\.0\.1:6379"):
        servers.redis_server()
