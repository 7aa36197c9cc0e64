"""Storage in a bucket of S3 or a server that speaks like it (boto3).

A file is put in one request, or in parts when it is large; S3 shows it whole or not at all, either way. Parts of a writer that
was killed cost room until `sweep` removes them.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cached_property
from itertools import chain
from threading import Lock
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from manyheads_hub.errors import UnavailableError
from manyheads_hub.storage.location import S3Location
from manyheads_hub.storage.port import CHUNK_BYTES, StoredFile, StoredFileMissingError, is_name
from manyheads_shared.digest import Digest
from manyheads_shared.errors import UsageError

PART_BYTES = 8 << 20  # S3 takes none below 5 MiB but the last, and 10,000 of one file: 84 GB
LINK_SECONDS = 900  # of a presigned address: a slow client asks the hub again and goes on
CONNECTIONS = 40  # as many as the web server has threads
ATTEMPTS = 4  # boto3's, with its pauses
CONNECT_SECONDS, SILENCE_SECONDS = 10, 60

_MISSING = {"404", "NoSuchKey", "NotFound"}
_DIGEST = "sha256"  # the key of a file's metadata


class S3Storage:
    """See `Storage`."""

    def __init__(self, location: S3Location) -> None:
        self.location = location
        self._lock = Lock()

    def write(self, name: str, data: bytes) -> None:
        """See `Storage.write`."""
        metadata = {_DIGEST: hashlib.sha256(data).hexdigest()}
        with self._told(name):
            self._client.put_object(Body=data, Metadata=metadata, **self._at(name))

    def write_stream(self, name: str, chunks: Iterable[bytes]) -> None:
        """See `Storage.write_stream`."""
        parts = _in_parts(chunks)
        first = next(parts, b"")
        if len(first) < PART_BYTES:
            self.write(name, first)
            return
        with self._told(name):
            upload = self._at(name) | {"UploadId": self._client.create_multipart_upload(**self._at(name))["UploadId"]}
            try:
                self._send_parts(upload, chain([first], parts))
            except BaseException:
                with suppress(BotoCoreError, ClientError):  # `sweep` comes by later
                    self._client.abort_multipart_upload(**upload)
                raise

    def read(self, name: str) -> bytes:
        """See `Storage.read`."""
        with self.stream(name) as chunks:
            return b"".join(chunks)

    @contextmanager
    def stream(self, name: str, *, start: int = 0, end: int | None = None) -> Iterator[Iterator[bytes]]:
        """See `Storage.stream`."""
        options = {"Range": f"bytes={start}-{'' if end is None else end - 1}"} if start or end is not None else {}
        with self._told(name):
            body = self._client.get_object(**self._at(name), **options)["Body"]
        with body:
            yield self._told_chunks(name, body)

    def find_size(self, name: str) -> int | None:
        """See `Storage.find_size`."""
        facts = self._head(name)
        return None if facts is None else int(facts["ContentLength"])

    def find_digest(self, name: str) -> Digest | None:
        """See `Storage.find_digest`: what the file had when it was written, for S3 itself guards it against decay."""
        facts = self._head(name)
        found = None if facts is None else facts["Metadata"].get(_DIGEST)
        return None if found is None else Digest(f"sha256:{found}")

    def list(self, prefix: str) -> Iterator[StoredFile]:
        """See `Storage.list`."""
        start = self._key(prefix) + "/"
        skip = len(self._key("x")) - 1
        with self._told(prefix):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.location.bucket, Prefix=start):
                for item in page.get("Contents", ()):
                    yield StoredFile(item["Key"][skip:], item["Size"], item["LastModified"])

    def delete(self, name: str) -> None:
        """See `Storage.delete`."""
        with suppress(StoredFileMissingError), self._told(name):
            self._client.delete_object(**self._at(name))

    def sweep(self, prefix: str, before: datetime) -> int:
        """See `Storage.sweep`: aborts uploads in parts."""
        count, bucket = 0, self.location.bucket
        with self._told(prefix):
            pages = self._client.get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=bucket, Prefix=self._key(prefix) + "/"):
                for upload in page.get("Uploads", ()):
                    if upload["Initiated"] < before:
                        with suppress(self._client.exceptions.NoSuchUpload):  # another replica sweeps too
                            self._client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
                        count += 1
        return count

    def link(self, name: str) -> str | None:
        """See `Storage.link`."""
        if not self.location.presigned_downloads:
            return None
        with self._told(name):
            return str(self._linker.generate_presigned_url("get_object", Params=self._at(name), ExpiresIn=LINK_SECONDS))

    def check(self) -> None:
        """See `Storage.check`."""
        bucket = self.location.bucket
        try:
            with self._told(""):
                self._client.list_objects_v2(Bucket=bucket, MaxKeys=1)
        except StoredFileMissingError as error:
            raise UsageError(f"{self.place('')}: no such bucket; make it, or name another") from error

    def place(self, name: str) -> str:
        """See `Storage.place`."""
        return f"s3://{self.location.bucket}/{self._key(name) if name else self.location.prefix}"

    def close(self) -> None:
        """See `Storage.close`."""
        for made in ("_client", "_linker"):
            if made in self.__dict__:
                self.__dict__.pop(made).close()

    def _send_parts(self, upload: dict[str, Any], parts: Iterable[bytes]) -> None:
        done = []
        for number, part in enumerate(parts, start=1):
            answer = self._client.upload_part(Body=part, PartNumber=number, **upload)
            done.append({"ETag": answer["ETag"], "PartNumber": number})
        self._client.complete_multipart_upload(MultipartUpload={"Parts": done}, **upload)

    def _head(self, name: str) -> Any:
        try:
            with self._told(name):
                return self._client.head_object(**self._at(name))
        except StoredFileMissingError:
            return None

    def _told_chunks(self, name: str, body: Any) -> Iterator[bytes]:
        with self._told(name):
            yield from body.iter_chunks(CHUNK_BYTES)

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """Say in our words what the server, or the way there, says."""
        try:
            yield
        except ClientError as error:
            code, message = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
            if code in _MISSING or code == "NoSuchBucket":
                raise StoredFileMissingError(self.place(name)) from error
            raise UnavailableError(
                f"{self.place(name)}: the S3 server refused ({code} {message}). Are the credentials right, and do they allow "
                "to read, write, list and delete there?"
            ) from error
        except BotoCoreError as error:
            raise UnavailableError(
                f"{self.place(name)}: the S3 server does not answer ({error}). Is the address right, is it up, and are there "
                "credentials where boto3 looks for them?"
            ) from error

    def _at(self, name: str) -> dict[str, str]:
        return {"Bucket": self.location.bucket, "Key": self._key(name)}

    def _key(self, name: str) -> str:
        assert is_name(name), name
        return f"{self.location.prefix}/{name}" if self.location.prefix else name

    @cached_property
    def _client(self) -> Any:
        return self._connect(self.location.endpoint)

    @cached_property
    def _linker(self) -> Any:
        """Signs addresses under the name by which clients know the server."""
        return self._connect(self.location.public_endpoint or self.location.endpoint)

    def _connect(self, endpoint: str | None) -> Any:
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if endpoint else "auto"},
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=SILENCE_SECONDS,
            max_pool_connections=CONNECTIONS,
            **self.location.checksums(),
        )
        with self._lock:  # making a session is not safe among threads
            return boto3.session.Session().client("s3", endpoint_url=endpoint, region_name=self.location.region, config=config)


def _in_parts(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Gather chunks to parts of at least `PART_BYTES`, but for the last."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        if len(held) >= PART_BYTES:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)
