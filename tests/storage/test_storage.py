"""Artifacts wherever a URL says: whole or not at all, the same everywhere, and no secret in what is said."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentics.config import Storage
from agentics.errors import Refused, StorageError, UsageError
from agentics.storage import Retries, open_store, publish, read_folder

SETTINGS = Storage(schemes=("file", "memory", "s3", "gs"))
FILES = {
    "details/acme/x/details_a%7C0.parquet": b"\x00\x01rows",
    "jobspec.json": b"{}\n",
    "metadata.json": b'{"files": []}\n',
    "results/acme/x/results_1.json": b'{"results": {}}\n',
}
LAST = "results/acme/x/results_1.json"
QUICK = Retries(attempts=3, wait_s=0.0)


@pytest.fixture(scope="session")
def s3_server():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server, monkeypatch):
    import boto3

    for name, value in {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    client = boto3.client("s3", endpoint_url=s3_server)
    client.create_bucket(Bucket="bucket")
    yield "s3://bucket/some/prefix"
    for found in client.list_objects_v2(Bucket="bucket").get("Contents", []):
        client.delete_object(Bucket="bucket", Key=found["Key"])
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def memory():
    import fsspec

    yield "memory://somewhere"
    fsspec.filesystem("memory").store.clear()


def opened(url, base=Path("/"), settings=SETTINGS):
    return open_store(str(url), settings, base=base, retries=QUICK)


def tree(store):
    return {path: store.get(path) for path in store.paths()}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_d6_every_kind_of_store_is_left_with_the_same_tree(tmp_path, memory, s3):
    stores = [opened(tmp_path / "here"), opened(f"file://{tmp_path}/there"), opened(memory), opened(s3)]
    for store in stores:
        store.probe()
        assert publish(store, FILES, LAST)[-1] == LAST
        assert tree(store) == FILES
        assert publish(store, FILES, LAST) == ()


@pytest.mark.parametrize("kind", ["file", "memory"])
@pytest.mark.parametrize("broken", range(len(FILES)))
def test_d6_what_stops_half_way_has_no_results_and_the_next_time_completes_it(tmp_path, memory, kind, broken):
    store = opened(tmp_path / "out" if kind == "file" else memory)
    writes = []

    class Failing:
        def __getattr__(self, name):
            return getattr(store.fs, name)

    def put(path, data):
        writes.append(path)
        if len(writes) == broken + 1:
            raise StorageError("the disk is full")
        store.put(path, data)

    failing = replace(store, fs=Failing())
    object.__setattr__(failing, "put", put)
    with pytest.raises(StorageError):
        publish(failing, FILES, LAST)
    assert LAST not in store.paths()
    publish(store, FILES, LAST)
    assert tree(store) == FILES


def test_another_result_under_the_same_name_is_refused_and_stays(tmp_path):
    store = opened(tmp_path)
    publish(store, FILES, LAST)
    with pytest.raises(Refused) as refused:
        publish(store, {**FILES, LAST: b"other"}, LAST)
    assert refused.value.code == "storage_conflict"
    assert tree(store) == FILES


def test_a_probe_leaves_nothing_and_finds_what_cannot_be_written(tmp_path):
    opened(tmp_path / "a" / "b").probe()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "file" / "below", "/proc/agentics"):
        with pytest.raises(UsageError) as refused:
            opened(place).probe()
        assert refused.value.code == "storage_not_writable"


@pytest.mark.slow
def test_a_store_that_does_not_answer_is_tried_so_often_and_then_named(s3, monkeypatch):
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(StorageError) as failed:
        opened(s3).put("a", b"b")
    assert "s3://bucket" in failed.value.message


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://host/x", "storage_scheme_not_allowed"),
        ("gs://bucket/x", "fsspec_driver_missing"),
        ("simplecache::ftp://host/x", "storage_scheme_not_allowed"),
        ("s3://user:hunter2secret@bucket/x", "credentials_in_url"),
        ("s3://bucket/x?secret=hunter2secret", "credentials_in_url"),
        ("s3://bucket/x?X-Amz-Signature=hunter2secret", "credentials_in_url"),
        ("../../etc", "storage_path_invalid"),
        ("s3://bucket/../other", "storage_path_invalid"),
        ("  ", "storage_path_invalid"),
    ],
)
def test_a_place_that_cannot_be_or_may_not_be_is_refused_without_repeating_a_secret(url, code, tmp_path):
    with pytest.raises(UsageError) as refused:
        opened(url, tmp_path)
    assert refused.value.code == code
    assert "hunter2secret" not in f"{refused.value.message} {refused.value.hint}"


def test_an_operator_can_say_below_what_artifacts_have_to_lie(tmp_path):
    settings = Storage(roots=(str(tmp_path / "allowed"), "s3://bucket/allowed"))
    assert opened(tmp_path / "allowed" / "x", settings=settings).root == str(tmp_path / "allowed" / "x")
    for url in (tmp_path / "allowed-not", tmp_path, "s3://bucket/allowed2", "memory://x"):
        with pytest.raises(UsageError) as refused:
            opened(url, settings=settings)
        assert refused.value.code == "storage_root_not_allowed"


@pytest.mark.parametrize("path", ["", "/a", "a/../b", "a//b", "a\\b", "a|b", "a:b", "a\nb", "."])
def test_a_name_that_is_not_portable_is_refused(path, tmp_path):
    with pytest.raises(UsageError) as refused:
        opened(tmp_path).put(path, b"")
    assert refused.value.code == "storage_path_invalid"
    assert list(tmp_path.iterdir()) == []


@given(st.binary(max_size=200))
def test_what_is_written_is_read_back(data):
    store = opened("memory://roundtrip")
    store.put("a/b", data)
    assert store.get("a/b") == data
    assert store.exists("a/b")
    store.delete("a/b")
    assert not store.exists("a/b")


def test_a_folder_is_read_without_what_is_no_document(tmp_path, memory):
    for url in (tmp_path, memory):
        store = opened(url)
        for path in ("a.json", "b.toml", "c.txt", "below/d.json"):
            store.put(path, b"{}")
        assert read_folder(str(url), SETTINGS, base=Path("/")) == {"a.json": b"{}", "b.toml": b"{}"}
