"""The same against a server that speaks S3, and against one that fails."""

from __future__ import annotations

import socket

import pytest

from agentics.errors import Refused, StorageError, UsageError
from agentics.storage import publish, read_folder
from tests.storage.conftest import FILES, LAST, QUICK, SETTINGS, opened, tree

SECRET = "hunter2-of-the-environment"
pytestmark = [
    pytest.mark.slow,
    # botocore's own, https://github.com/boto/boto3/issues/3889
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
]


def test_d6_s3_is_left_with_the_tree_of_a_folder(tmp_path, memory, s3):
    for store in (opened(s3), opened(tmp_path), opened(memory)):
        store.probe()
        assert store.paths() == ()
        assert publish(store, FILES, LAST)[-1] == LAST
        assert tree(store) == FILES
        assert publish(store, FILES, LAST) == ()
        with pytest.raises(Refused):
            publish(store, {**FILES, LAST: b"other"}, LAST)


def test_the_keys_in_the_bucket_are_the_paths(s3):
    import boto3

    publish(opened(s3), FILES, LAST)
    client = boto3.client("s3")
    found = {each["Key"] for each in client.list_objects_v2(Bucket="bucket")["Contents"]}
    assert found == {f"some/prefix/{path}" for path in FILES}
    client.close()


def test_what_another_process_changed_is_seen(s3):
    import boto3

    store = opened(s3)
    assert not store.exists("a.json")
    client = boto3.client("s3")
    client.put_object(Bucket="bucket", Key="some/prefix/a.json", Body=b"{}")
    assert store.exists("a.json")
    assert read_folder(s3, SETTINGS, base=None) == {"a.json": b"{}"}
    client.delete_object(Bucket="bucket", Key="some/prefix/a.json")
    assert (store.exists("a.json"), store.paths()) == (False, ())
    client.close()


def test_a_bucket_that_is_not_there_is_not_made(s3):
    import boto3

    with pytest.raises(UsageError) as refused:
        opened("s3://another-bucket/x").probe()
    assert refused.value.code == "storage_not_writable"
    client = boto3.client("s3")
    assert [each["Name"] for each in client.list_buckets()["Buckets"]] == ["bucket"]
    client.close()


def test_a_server_that_is_down_is_an_infrastructure_failure_that_names_the_place(credentials, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    store = opened("s3://bucket/x")
    acts = (lambda: store.put("a", b"b"), lambda: store.get("a"), lambda: store.exists("a"), store.paths)
    for act in acts:
        with pytest.raises(StorageError) as failed:
            act()
        assert failed.value.exit_status == 5
        assert failed.value.message.startswith("s3://bucket/x: could not ")
    with pytest.raises(UsageError):
        store.probe()


def test_a_server_that_breaks_for_a_moment_is_asked_again(answering):
    asked = answering((500, "InternalError"), (503, "ServiceUnavailable"), (200, ""))
    opened("s3://bucket/x").put("a", b"b")
    assert asked == ["PUT"] * 3


@pytest.mark.parametrize("answer", [(500, "InternalError"), (502, "Odd"), (503, "ServiceUnavailable")])
def test_a_server_that_stays_broken_is_asked_so_often(answering, answer):
    asked = answering(answer)
    with pytest.raises(StorageError) as failed:
        opened("s3://bucket/x").put("a", b"b")
    assert len(asked) == QUICK.attempts
    assert "s3://bucket/x: could not write a: " in failed.value.message


@pytest.mark.parametrize("answer", [(403, "AccessDenied"), (403, "SignatureDoesNotMatch"), (400, "InvalidArgument")])
def test_a_server_that_refuses_is_asked_once_and_no_secret_is_told(answering, answer):
    asked = answering(answer)
    with pytest.raises(StorageError) as failed:
        opened("s3://bucket/x").put("a", b"b")
    assert asked == ["PUT"]
    assert SECRET not in failed.value.message
    assert "Signature=" not in failed.value.message.replace("Signature=***", "")


def test_a_server_that_does_not_tell_whether_a_name_is_free_is_found_before_anything_starts(answering):
    answering((403, "AccessDenied"))
    with pytest.raises(UsageError) as refused:
        opened("s3://bucket/x").probe()
    assert "look for a file" in refused.value.message
