"""Fixtures of real servers; a server that cannot be had is a skip that says why (in CI: a failure)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
from moto.server import ThreadedMotoServer

from tests.services import servers

Address = TypeVar("Address", str, tuple[str, str])
#: What the scanner of the tests takes for harmful.
LANTERN = b"a lantern counts the ferries home"


def _have(server: Callable[[], Address]) -> Address:
    try:
        return server()
    except servers.Missing as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def postgresql_server() -> str:
    """Address of a PostgreSQL without a database name: `postgres://USER@HOST:PORT`."""
    return _have(servers.postgresql)


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """Address of an empty database of the test's own."""
    name = f"lethe_service_{secrets.token_hex(4)}"
    yield servers.create_database(postgresql_server, name)
    servers.drop_database(postgresql_server, name)


@pytest.fixture(scope="session")
def redis_server() -> str:
    """Address of a Redis without a database number: `redis://HOST:PORT`."""
    return _have(servers.redis_server)


@pytest.fixture
def redis_url(redis_server: str) -> Iterator[str]:
    """Address of a Redis database that was empty and is emptied again; tests share it with nobody."""
    address = _have(lambda: servers.claim_redis_database(redis_server))
    yield address
    servers.empty_redis_database(address)


@pytest.fixture(scope="session")
def rabbitmq_url() -> str:
    """Address of a RabbitMQ; give queues names of the test's own and delete them."""
    return _have(servers.rabbitmq)


@pytest.fixture(scope="session")
def clamd_addresses() -> tuple[str, str]:
    """TCP address and socket of a ClamAV daemon that knows `LANTERN` as `Lethe.Test.Lantern`."""
    return _have(lambda: servers.clamd({"Lethe.Test.Lantern": LANTERN}))


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """Address of an S3 server in memory; any access key is right."""
    server = ThreadedMotoServer(ip_address=servers.HOST, port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
