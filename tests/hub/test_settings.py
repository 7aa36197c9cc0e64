"""hub.toml: read strictly, written so that it reads back the same."""

from pathlib import Path

import pytest

from manyheads_hub.settings import Limits, Settings
from manyheads_hub.storage.location import S3Location
from manyheads_shared.errors import UsageError

DATABASE = "postgresql://hub@db.example:5433/lab?sslmode=verify-full"


def test_settings_read_back_as_they_were_written(tmp_path: Path) -> None:
    settings = Settings(tmp_path, "lab", tmp_path / 'su"ite', DATABASE, S3Location("bucket", "a/b"), Limits(upload_bytes=7))
    settings.write()
    assert Settings.read(tmp_path) == settings


def test_a_suite_may_lie_beside_the_hub(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text('name = "lab"\nsuite = "images"\n')
    assert Settings.read(tmp_path).suite == tmp_path / "images"


@pytest.mark.parametrize(
    ("toml", "reason"),
    [
        ("name = 3", "expected a hub's name"),
        ("", "expected a hub's name"),
        ('name = "Lab"', "expected a hub's name"),
        ("name", "expected TOML"),
        ('name = "lab"\nsuites = "x"', "unknown key 'suites'"),
        ('name = "lab"\nsuite = 3', "expected the path of a folder"),
        ('name = "lab"\nlimits = 3', "expected a table"),
        ('name = "lab"\n[limits]\nupload_byte = 3', "unknown key 'upload_byte'"),
        ('name = "lab"\n[limits]\nupload_bytes = 0', "limits.upload_bytes: expected a whole number above 0"),
        ('name = "lab"\n[limits]\nupload_bytes = true', "limits.upload_bytes: expected a whole number above 0"),
        ('name = "lab"\n[limits]\nupload_bytes = "8"', "limits.upload_bytes: expected a whole number above 0"),
    ],
)
def test_wrong_settings_are_refused_with_the_key(tmp_path: Path, toml: str, reason: str) -> None:
    (tmp_path / "hub.toml").write_text(toml)
    with pytest.raises(UsageError, match=reason):
        Settings.read(tmp_path)


@pytest.mark.parametrize(
    ("toml", "reason"),
    [
        ("database = 3", "postgresql://USER@HOST"),
        ('database = "mysql://hub@db.example/lab"', "postgresql://USER@HOST"),
        ('database = "postgresql://hub@db.example"', "postgresql://USER@HOST"),
        ('database = "postgresql://hub:secret@db.example/lab"', "without a password.*PGPASSFILE"),
        ('database = "postgresql://hub@db.example/lab?password=secret"', "without a password"),
        ("storage = 3", "storage: expected a table"),
        ("[storage]", "expected the key bucket"),
        ('[storage]\nbucket = "Bucket"', "storage.bucket: expected the name"),
        ('[storage]\nbucket = "bucket"\nsecret_key = "x"', "unknown key storage.secret_key"),
        ('[storage]\nbucket = "bucket"\nprefix = "/a"', "storage.prefix: expected a path"),
        ('[storage]\nbucket = "bucket"\nendpoint = "s3.example"', "storage.endpoint: expected an address"),
        ('[storage]\nbucket = "bucket"\nendpoint = "https://key:secret@s3.example"', "without a password"),
        ('[storage]\nbucket = "bucket"\npresigned_downloads = "yes"', "storage.presigned_downloads: expected a bool"),
        ('[storage]\nbucket = "bucket"\nrequest_checksum_calculation = "never"', "expected when_required or when_supported"),
    ],
)
def test_wrong_addresses_are_refused_and_secrets_are_not_repeated(tmp_path: Path, toml: str, reason: str) -> None:
    (tmp_path / "hub.toml").write_text(f'name = "lab"\n{toml}\n')
    with pytest.raises(UsageError, match=reason) as refused:
        Settings.read(tmp_path)
    assert "secret@" not in str(refused.value)


def test_only_amazon_is_sent_checksums_unless_told_otherwise() -> None:
    elsewhere = S3Location("bucket", endpoint="https://s3.example")
    assert set(S3Location("bucket").checksums().values()) == {"when_supported"}
    assert set(elsewhere.checksums().values()) == {"when_required"}
    told = S3Location("bucket", endpoint="https://s3.example", request_checksum_calculation="when_supported")
    assert told.checksums()["request_checksum_calculation"] == "when_supported"


def test_an_address_on_the_command_line_is_read() -> None:
    assert S3Location.from_url("s3://bucket/hubs/lab/") == S3Location("bucket", "hubs/lab")
    for wrong in ("bucket", "https://bucket", "s3://", "s3://key:secret@bucket"):
        with pytest.raises(UsageError, match="expected s3://BUCKET"):
            S3Location.from_url(wrong)


def test_a_folder_without_a_hub_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="manyheads-hub init"):
        Settings.read(tmp_path)
