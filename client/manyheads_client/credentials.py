"""Content credentials (C2PA): what a file says of its own origin, a separate finding that no score and no verdict knows of.

They are read offline, by a library in a process of its own (`credentials_process.py`) that can open neither socket nor file.
Where it fails, crashes or takes too long, a note says so and the examination goes on. What they say is a claim of whoever
signed them. Without the library (extra `credentials`) a note says that there are some.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Timer
from types import TracebackType
from typing import Any, Self

from manyheads_client.words import printable
from manyheads_shared.evidence import Credentials

SECONDS = 10.0  # for one file; a large one with sound credentials takes one
MAX_ANSWER_BYTES = 4 << 20  # of a report in JSON: a signed picture with a few ancestors has some thousands
MAX_TEXT = 200  # characters of what a claim says of itself
MAX_FINDINGS = 32

_MARKS = (b"jumb", b"c2pa")  # of the box that holds them: JUMBF, ISO 19566-5
_POINTER = b"dcterms:provenance"  # in XMP: an address where they lie
_GENERATED = ("trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "trainedAlgorithmicData")  # IPTC, C2PA 2.1
_SCRIPT = Path(__file__).with_name("credentials_process.py")

Finding = tuple[Credentials | None, str]


class CredentialsReader:
    """Reads credentials, for any number of threads at once: each has a process to itself while it reads.

    Example:
        >>> with CredentialsReader() as reader:
        ...     credentials, note = reader.read(data, "JPEG")
    """

    def __init__(self, *, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._installed = find_spec("c2pa") is not None
        self._idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the processes that wait; the next file would start another."""
        while process := self._take():
            _end(process)

    def read(self, data: bytes, file_format: str) -> Finding:
        """Read what a file carries.

        Args:
            data: the file, of at most `image.MAX_FILE_BYTES`.
            file_format: `PNG`, `JPEG` or `WEBP`.

        Returns:
            The finding, or None; and a note where there is something that was not read.
        """
        if not all(mark in data for mark in _MARKS):
            elsewhere = f"the {file_format} file points to content credentials (C2PA) elsewhere, which were not fetched"
            return None, elsewhere if _POINTER in data else ""
        if not self._installed:
            return None, _unread(file_format, "the extra `credentials` is not installed")
        try:
            return _interpret(self._ask(data, file_format), file_format)
        except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            return None, _unread(file_format, f"their reader stopped, {type(error).__name__}")

    def _ask(self, data: bytes, file_format: str) -> Mapping[str, Any]:
        process = self._take() or _start()
        timer = Timer(self._seconds, process.kill)
        timer.start()
        try:
            line = _exchange(process, f"image/{file_format.lower()}", data)
        except BaseException:
            _end(process)
            raise
        finally:
            timer.cancel()
        self._idle.put(process)
        answer: Mapping[str, Any] = json.loads(line)
        return answer

    def _take(self) -> "subprocess.Popen[bytes] | None":
        """A process that waits for work; None: there is none."""
        try:
            while (process := self._idle.get_nowait()).poll() is not None:
                _end(process)
        except Empty:
            return None
        return process


def _exchange(process: "subprocess.Popen[bytes]", mime: str, data: bytes) -> bytes:
    assert process.stdin  # both are pipes
    assert process.stdout
    process.stdin.write(f"{mime} {len(data)}\n".encode())
    process.stdin.write(data)
    process.stdin.flush()
    line = process.stdout.readline(MAX_ANSWER_BYTES)
    if not line.endswith(b"\n"):
        raise EOFError("it ended within its answer, or its answer does not")
    return line


def _interpret(answer: Mapping[str, Any], file_format: str) -> Finding:
    """Make a finding of what the reading process answered."""
    if "complaint" in answer:
        return None, _unread(file_format, _short(answer["complaint"]))
    if "report" not in answer:
        return None, ""  # the marks were there by chance
    report = answer["report"]
    active = report["manifests"][report["active_manifest"]]
    signature = active.get("signature_info") or {}
    state = report["validation_state"]
    failed = {_short(status["code"]) for status in report.get("validation_status") or ()}
    sources = {_short(source).rpartition("/")[2] for source in _sources(report["manifests"])}
    return (
        Credentials(
            reader=answer["library"],
            manifest=_short(report["active_manifest"]),
            valid=state in ("Valid", "Trusted"),
            trusted=state == "Trusted",
            signer=_signer(signature),
            made_with=_maker(active),
            signed=_short(signature["time"]) if signature.get("time") else None,
            sources=tuple(sorted(sources))[:MAX_FINDINGS],  # sorted: the library has them in any order
            generated=not sources.isdisjoint(_GENERATED),
            findings=tuple(sorted(failed))[:MAX_FINDINGS],
        ),
        "",
    )


def _sources(value: Any) -> Iterator[str]:
    """Every digital source type that an assertion names, in the file's own manifest and in those of its ingredients."""
    left = [value]
    while left:
        found = left.pop()
        if isinstance(found, dict):
            if isinstance(found.get("digitalSourceType"), str):
                yield found["digitalSourceType"]
            left.extend(found.values())
        elif isinstance(found, list):
            left.extend(found)


def _signer(signature: Mapping[str, Any]) -> str | None:
    names = [_short(signature[field]) for field in ("common_name", "issuer") if signature.get(field)]
    return ", ".join(names) or None


def _maker(manifest: Mapping[str, Any]) -> str | None:
    described = manifest.get("claim_generator_info") or ()
    names = [" ".join(filter(None, (each.get("name"), each.get("version")))) for each in described]
    return _short(", ".join(filter(None, names)) or manifest.get("claim_generator") or "") or None


def _unread(file_format: str, reason: str) -> str:
    return f"the {file_format} file carries content credentials (C2PA), which were not read: {reason}"


def _short(text: str) -> str:
    return printable(text[:MAX_TEXT])


def _start() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - a script of ours
        [sys.executable, "-P", str(_SCRIPT)],  # -P: nothing beside the script is imported in place of a library
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for us
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        assert pipe
        try:
            pipe.close()
        except OSError:
            continue  # what was left in it
    process.wait()
