"""Real servers for tests: those that answer on their standard local ports, else our own from installed binaries.

Standard library and the clients only. A server that can neither be found nor started is a `Missing`, whose
message begins with "service:"; the tests skip with it, and in continuous integration they fail.
"""

from __future__ import annotations

import atexit
import contextlib
import glob
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import redis
from kombu import Connection
from kombu.exceptions import OperationalError

HOST = "127.0.0.1"
STARTUP_SECONDS = 60


class Missing(Exception):
    """A server is neither running nor installed; the text is the reason for a skip."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"service: {name} {detail}")


def postgresql() -> str:
    """Address of a PostgreSQL whose user may create databases, without a database name at the end."""
    running = f"postgres://postgres@{HOST}:5432"
    if _postgresql_answers(running):
        return running
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(Path(path).parent.name))
    if not folders:
        raise Missing("PostgreSQL", f"does not answer on {HOST}:5432 as user postgres and is not installed")
    return _start_postgresql(Path(folders[-1]))


def redis_server() -> str:
    """Address of a Redis, without a database number at the end."""
    running = f"redis://{HOST}:6379"
    if _redis_answers(running):
        return running
    program = shutil.which("redis-server")
    if program is None:
        raise Missing("Redis", f"does not answer on {HOST}:6379 and is not installed")
    port, folder = free_port(), _folder("redis")
    _start([program, "--port", str(port), "--bind", HOST, "--dir", str(folder), "--save", ""], "Redis", folder)
    started = f"redis://{HOST}:{port}"
    _wait(lambda: _redis_answers(started), "Redis", folder)
    return started


def claim_redis_database(server: str) -> str:
    """Address of an empty database of that Redis, claimed for the caller, who empties it when done."""
    for index in range(15, 0, -1):
        address = f"{server}/{index}"
        client = redis.Redis.from_url(address)
        try:
            if client.dbsize() == 0 and client.set("lethe-tests-claim", os.getpid(), nx=True, ex=3600):
                return address
        finally:
            client.close()
    raise Missing("Redis", "has no empty database left")


def empty_redis_database(address: str) -> None:
    """Empty a database that `claim_redis_database` gave."""
    client = redis.Redis.from_url(address)
    client.flushdb()
    client.close()


def rabbitmq() -> str:
    """Address of a RabbitMQ."""
    running = f"amqp://guest:guest@{HOST}:5672//"
    if _rabbitmq_answers(running):
        return running
    program = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    if not program.exists():
        raise Missing("RabbitMQ", f"does not answer on {HOST}:5672 as guest and is not installed")
    port, folder = free_port(), _folder("rabbitmq")
    own = {
        "HOME": str(folder),
        "RABBITMQ_BASE": str(folder),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
        "RABBITMQ_CONFIG_FILE": str(folder / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_NODENAME": f"lethe{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": HOST,
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "ERL_EPMD_PORT": str(free_port()),
    }
    # Erlang's port mapper outlives the node that started it.
    atexit.register(subprocess.run, ["epmd", "-kill"], env={**os.environ, **own}, capture_output=True)
    _start([str(program)], "RabbitMQ", folder, env=own)
    started = f"amqp://guest:guest@{HOST}:{port}//"
    _wait(lambda: _rabbitmq_answers(started), "RabbitMQ", folder)
    return started


def clamd(signatures: dict[str, bytes]) -> tuple[str, str]:
    """Addresses (TCP, then its socket's) of a ClamAV daemon of our own that knows these signatures alone: name, bytes.

    Its database is one file of extended signatures (`.ndb`), so that nothing is fetched.
    """
    program = shutil.which("clamd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        raise Missing("ClamAV", "is not installed (Debian: clamav-daemon)")
    port, folder = free_port(), _folder("clamd")
    (folder / "db").mkdir()
    lines = [f"{name}:0:*:{found.hex()}\n" for name, found in signatures.items()]
    (folder / "db" / "test.ndb").write_text("".join(lines))
    options = {"DatabaseDirectory": folder / "db", "LocalSocket": folder / "clamd.ctl", "TCPSocket": port,
               "TCPAddr": HOST, "Foreground": "yes", "StreamMaxLength": "4M"}  # fmt: skip
    (folder / "clamd.conf").write_text("".join(f"{name} {value}\n" for name, value in options.items()))
    _start([program, "--config-file", str(folder / "clamd.conf")], "ClamAV", folder)
    _wait(lambda: _clamd_answers(port), "ClamAV", folder)
    return f"tcp://{HOST}:{port}", f"unix:{folder / 'clamd.ctl'}"


def _clamd_answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=3) as line:
            line.sendall(b"zPING\0")
            return line.recv(16).startswith(b"PONG")
    except OSError:
        return False


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def create_database(server: str, name: str) -> str:
    """Make an empty database, dropped when the process ends; returns its address."""
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    atexit.register(drop_database, server, name)
    return f"{server}/{name}"


def drop_database(server: str, name: str) -> None:
    """Drop a database that `create_database` made, whoever is still connected; twice is once."""
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(f"{server}/postgres", autocommit=True) as link:
        link.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


def _postgresql_answers(address: str) -> bool:
    try:
        with psycopg.connect(f"{address}/postgres", connect_timeout=3) as connection:
            row = connection.execute("SELECT rolcreatedb FROM pg_roles WHERE rolname = current_user").fetchone()
            return bool(row and row[0])
    except psycopg.OperationalError:
        return False


def _redis_answers(address: str) -> bool:
    client = redis.Redis.from_url(address, socket_connect_timeout=3)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def _rabbitmq_answers(address: str) -> bool:
    try:
        with Connection(address, connect_timeout=3) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0)
            return True
    except (OperationalError, OSError):
        return False


def _start_postgresql(binaries: Path) -> str:
    port, folder = free_port(), _folder("postgresql")
    data = folder / "data"
    made = subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"],
        capture_output=True,
        text=True,
        **_plain_user(folder),
    )
    if made.returncode:
        raise Missing("PostgreSQL", f"could not be set up: {made.stderr.strip()[-300:]}")
    options = {"listen_addresses": HOST, "unix_socket_directories": folder, "fsync": "off", "max_connections": 60}
    flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    _start([str(binaries / "postgres"), "-D", str(data), "-p", str(port), *flags], "PostgreSQL", folder)
    started = f"postgres://postgres@{HOST}:{port}"
    _wait(lambda: _postgresql_answers(started), "PostgreSQL", folder)
    return started


def _folder(name: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=f"lethe-{name}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _plain_user(folder: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: give its folder and process to a user without rights."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": folder}


def _start(command: list[str], name: str, folder: Path, env: dict[str, str] | None = None) -> None:
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
            start_new_session=True,
            **(_plain_user(folder) if name == "PostgreSQL" else {}),
        )
    atexit.register(_stop, process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()


def _wait(answers: Callable[[], bool], name: str, folder: Path) -> None:
    deadline = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < deadline:
        if answers():
            return
        time.sleep(0.2)
    tail = (folder / "output").read_text(errors="replace").strip()[-300:]
    raise Missing(name, f"is installed but did not start within {STARTUP_SECONDS} s: {tail}")
