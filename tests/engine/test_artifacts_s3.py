"""The same store on an S3 server (moto's, in this process)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from unlearning_engine.artifacts import Store
from unlearning_engine.errors import DataError, StorageError
from unlearning_engine.trees import name_of


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    import fsspec
    import s3fs

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    fsspec.filesystem("s3").makedirs("lethe-test", exist_ok=True)  # moto's buckets outlive its server
    yield "s3://lethe-test/artifacts"
    server.stop()
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_folder_goes_to_s3_comes_back_and_is_deleted(bucket: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "sub" / "weights").write_bytes(bytes(range(256)) * 1000)
    store = Store(bucket)
    ref = store.put(folder)
    assert ref == name_of(folder)
    other = Store(bucket)
    assert other.exists(ref)
    assert name_of(other.fetch(ref, tmp_path / "again")) == ref
    with other.open(store.put_bytes(b"spec")) as stream:
        assert stream.read() == b"spec"
    assert store.delete(ref).removed == 3
    assert not other.exists(ref)


def test_damage_on_s3_is_found_and_flags_work(bucket: str, tmp_path: Path) -> None:
    import fsspec

    store = Store(bucket)
    ref = store.put_bytes(b"good")
    name = ref.removeprefix("sha256:")
    fsspec.filesystem("s3").pipe_file(f"lethe-test/artifacts/sha256/{name[:2]}/{name[2:]}", b"evil")
    with pytest.raises(DataError, match="damaged"):
        Store(bucket).fetch(ref, tmp_path / "out")
    store.set_flag("cancel/1")
    assert Store(bucket).has_flag("cancel/1")
    store.clear_flag("cancel/1")
    assert not Store(bucket).has_flag("cancel/1")


def test_a_bucket_that_is_not_there_or_does_not_answer_is_a_storage_error(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    with pytest.raises(StorageError, match="refused"):
        Store("s3://no-such-bucket/x").put_bytes(b"x")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(StorageError):
        Store(bucket).put_bytes(b"x")
