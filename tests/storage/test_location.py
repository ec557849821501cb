"""Where artifacts may go: what is refused is refused before anything is asked, and repeats no secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentics import config
from agentics.config import Storage
from agentics.errors import ConfigError, UsageError
from tests.storage.conftest import SETTINGS, opened

SECRET = "hunter2secret"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://host/x", "storage_scheme_not_allowed"),
        ("S3://bucket/x", "storage_scheme_not_allowed"),
        ("simplecache::ftp://host/x", "storage_scheme_not_allowed"),
        ("blockcache::s3://bucket/x", "storage_scheme_not_allowed"),
        ("gs://bucket/x", "fsspec_driver_missing"),
        ("simplecache::gs://bucket/x", "fsspec_driver_missing"),
        ("", "storage_path_invalid"),
        ("  ", "storage_path_invalid"),
        ("a\0b", "storage_path_invalid"),
        ("a\nb", "storage_path_invalid"),
        ("a\udc80b", "storage_path_invalid"),
        ("../../etc", "storage_path_invalid"),
        ("outputs/../../etc", "storage_path_invalid"),
        ("s3://bucket/../other", "storage_path_invalid"),
        ("s3://bucket/%2e%2e/other", "storage_path_invalid"),
        ("s3://bucket/a\\..\\other", "storage_path_invalid"),
        ("s3://", "storage_path_invalid"),
        ("s3:///key", "storage_path_invalid"),
        ("s3:/bucket/x", "storage_path_invalid"),
        ("simplecache::/tmp/x", "storage_path_invalid"),
        ("file://relative/x", "storage_path_invalid"),
        ("~nobody-of-that-name/x", "storage_path_invalid"),
    ],
)
def test_a_place_that_cannot_be_or_may_not_be_is_refused(url, code, tmp_path):
    with pytest.raises(UsageError) as refused:
        opened(url, tmp_path)
    assert refused.value.code == code
    assert refused.value.exit_status == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        f"s3://user:{SECRET}@bucket/x",
        f"s3://{SECRET}@bucket/x",
        f"ftp://user:{SECRET}@host/x",
        f"s3://user:{SECRET}/with/slash@bucket/x",
        f"s3://bucket/x?secret={SECRET}",
        f"s3://bucket/x?key={SECRET}",
        f"s3://bucket/x?token%3D{SECRET}",
        f"s3://bucket/x?X-Amz-Signature={SECRET}",
        f"s3://bucket/x#secret={SECRET}",
        f"simplecache::s3://user:{SECRET}@bucket/x",
        f"abfs://container:{SECRET}@account.dfs.core.windows.net/x",
        f"unknown://host/?password={SECRET}",
    ],
)
def test_credentials_in_a_url_are_refused_and_not_repeated(url):
    with pytest.raises(UsageError) as refused:
        opened(url)
    assert refused.value.code == "credentials_in_url"
    assert SECRET not in f"{refused.value.message} {refused.value.hint}"


def test_a_container_before_the_account_is_no_secret():
    with pytest.raises(UsageError) as refused:
        opened("abfs://container@account.dfs.core.windows.net/x")
    assert refused.value.code == "fsspec_driver_missing"


@pytest.mark.parametrize(
    ("url", "package"), [("gs://b/x", "gcsfs"), ("abfs://c@a/x", "adlfs"), ("frail2://b/x", "fsspec knows none")]
)
def test_a_driver_that_is_missing_is_named(url, package):
    settings = Storage(schemes=(*SETTINGS.schemes, "frail2"))
    with pytest.raises(UsageError) as refused:
        opened(url, settings=settings)
    assert refused.value.code == "fsspec_driver_missing"
    assert package in refused.value.hint


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("out", "base/out"),
        ("./s3:/out", "base/s3:/out"),
        ("./a::b", "base/a::b"),
        ("~/out", "home/out"),
        ("file://{tmp}/x/", "x"),
        ("{tmp}//x/./y", "x/y"),
    ],
)
def test_a_folder_is_where_it_says(url, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    store = opened(url.format(tmp=tmp_path), tmp_path / "base")
    store.put("a", b"b")
    assert (tmp_path / folder / "a").read_bytes() == b"b"
    assert store.url == str(tmp_path / folder)


def test_an_operator_can_say_below_what_artifacts_have_to_lie(tmp_path):
    roots = (str(tmp_path / "allowed"), f"file://{tmp_path}/too/", "s3://bucket/allowed/")
    settings = Storage(schemes=SETTINGS.schemes, roots=roots)
    (tmp_path / "allowed").mkdir()
    (tmp_path / "allowed" / "out").symlink_to(tmp_path / "elsewhere")
    for url in (
        tmp_path / "allowed",
        tmp_path / "allowed" / "x",
        f"file://{tmp_path}/allowed/x",
        tmp_path / "too" / "x",
        "s3://bucket/allowed",
        "s3://bucket/allowed/x",
        "simplecache::s3://bucket/allowed/x",
    ):
        opened(url, settings=settings)
    for url in (
        tmp_path / "allowed-not",
        tmp_path / "allowed" / "out" / "x",
        tmp_path,
        "s3://bucket/allowed2",
        "s3://bucket",
        "memory://x",
        f"s3://bucket/allowed/x::file://{tmp_path}/elsewhere",
    ):
        with pytest.raises(UsageError) as refused:
            opened(url, settings=settings)
        assert refused.value.code == "storage_root_not_allowed"


def test_a_root_that_depends_on_where_one_stands_is_no_configuration(tmp_path, monkeypatch):
    file = tmp_path / "agentics.toml"
    monkeypatch.setenv("AGENTICS_CONFIG", str(file))
    file.write_text('[storage]\nroots = ["outputs"]\n')
    with pytest.raises(ConfigError, match="neither an absolute path nor a URL"):
        config.load()
    file.write_text('[storage]\nroots = ["/outputs", "s3://bucket"]\nschemes = ["s3"]\n')
    assert config.load().storage == Storage(roots=("/outputs", "s3://bucket"), schemes=("s3",))


@given(st.text(max_size=60) | st.tuples(st.sampled_from(["", "file://", "memory://", "/"]), st.text()).map("".join))
def test_any_text_is_a_place_below_its_base_or_refused(text):
    base = Path("/base/of/all")
    try:
        store = opened(text, base)
    except UsageError:
        return
    assert ".." not in store.root.split("/")
    if store.local and not text.startswith(("/", "~", "file://")):
        assert os.path.commonpath([base, store.root]) == str(base)
