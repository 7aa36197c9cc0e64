"""Where an S3 bucket is and how its server is spoken to: `[storage]` in hub.toml. Credentials are boto3's own affair."""

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from manyheads_shared.errors import UsageError

CHECKSUMS = ("when_required", "when_supported")

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")


@dataclass(frozen=True)
class S3Location:
    """A place in S3.

    Servers other than Amazon's often refuse the checksum headers that boto3 sends by default since 1.36; with an endpoint of
    their own the default here is therefore `when_required`. Blobs are checked by SHA-256 whenever the hub reads them.
    """

    bucket: str
    prefix: str = ""  # before every name, without a slash at the end
    endpoint: str | None = None  # None: Amazon's, or AWS_ENDPOINT_URL_S3
    region: str | None = None  # None: boto3's own means
    request_checksum_calculation: str | None = None  # when_required | when_supported
    response_checksum_validation: str | None = None
    presigned_downloads: bool = False  # send clients to the bucket for large files
    public_endpoint: str | None = None  # in presigned addresses, where clients reach the server by another name

    @classmethod
    def parse(cls, path: Path, values: Any) -> Self:
        """Read the table `[storage]`.

        Raises:
            UsageError: a key is unknown, missing or wrong.
        """
        if not isinstance(values, dict):
            raise UsageError(f"{path}: storage: expected a table, got {values!r}")
        known = {field.name: bool if field.type is bool else str for field in fields(cls)}
        if unknown := sorted(values.keys() - known.keys()):
            raise UsageError(f"{path}: unknown key storage.{unknown[0]}; known here: {', '.join(known)}")
        for key, value in values.items():
            if type(value) is not known[key]:
                raise UsageError(f"{path}: storage.{key}: expected a {known[key].__name__}, got {value!r}")
        if "bucket" not in values:
            raise UsageError(f"{path}: storage: expected the key bucket, found none")
        return cls(**values).checked()

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """Read `s3://BUCKET/PREFIX`, as the command line has it.

        Raises:
            UsageError: it is none.
        """
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment or "@" in parts.netloc:
            raise UsageError(f"storage: expected s3://BUCKET or s3://BUCKET/PREFIX, got {url!r}")
        return cls(bucket=parts.netloc, prefix=parts.path.strip("/"), **options).checked()

    def checked(self) -> Self:
        """Return this location.

        Raises:
            UsageError: it cannot be one.
        """
        if not _BUCKET.fullmatch(self.bucket):
            raise UsageError(f"storage.bucket: expected the name of a bucket, got {self.bucket!r}")
        if self.prefix and not _PREFIX.fullmatch(self.prefix):
            raise UsageError(f"storage.prefix: expected a path like hubs/lab, got {self.prefix!r}")
        for key in ("endpoint", "public_endpoint"):
            value = getattr(self, key)
            if value is not None:
                _check_address(key, value)
        for key in ("request_checksum_calculation", "response_checksum_validation"):
            if getattr(self, key) not in (None, *CHECKSUMS):
                raise UsageError(f"storage.{key}: expected {' or '.join(CHECKSUMS)}, got {getattr(self, key)!r}")
        return self

    def to_table(self) -> dict[str, str | bool]:
        """Return what `parse` reads: everything that is set."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {key: value for key, value in values.items() if value not in (None, "", False)}

    def checksums(self) -> dict[str, str]:
        """Return what boto3 is to do about checksums."""
        default = "when_required" if self.endpoint else "when_supported"
        return {
            "request_checksum_calculation": self.request_checksum_calculation or default,
            "response_checksum_validation": self.response_checksum_validation or default,
        }


def _check_address(key: str, value: str) -> None:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise UsageError(f"storage.{key}: expected an address like https://s3.example:9000, without a password")
