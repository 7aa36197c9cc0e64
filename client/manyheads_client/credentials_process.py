"""The process that reads content credentials with c2pa, a large native library given hostile bytes. Run as a script, alone.

It serves one request after another: a line `MIME LENGTH`, then the file, on standard input; a line of JSON on standard output.
It can open neither file nor socket once it runs, and has so much memory and no more. Whoever started it ends it when it takes
too long.
"""

import io
import json
import os
import resource
import sys

import c2pa

MEMORY_BYTES = 2 << 30  # address space: the library, the file, and what its manifests unfold to
OFFLINE = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}


def serve() -> None:
    """Answer until standard input ends."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever the library prints is no answer
    context = c2pa.Context.from_dict(OFFLINE)
    library = f"c2pa-python {c2pa.__version__}, c2pa-rs {c2pa.sdk_version()}"
    _confine(answers.fileno())  # the lowest that was free
    while request := requests.readline():
        mime, length = request.split()
        answer = {"library": library} | _read(mime.decode(), requests.read(int(length)), context)
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


def _read(mime: str, data: bytes, context: c2pa.Context) -> dict[str, object]:
    """The library's report, its complaint, or neither where the file carries nothing."""
    try:
        with c2pa.Reader(mime, io.BytesIO(data), context=context) as reader:
            return {"report": json.loads(reader.json())}
    except c2pa.C2paError as error:
        kind, _, complaint = str(error).partition(": ")
        return {} if kind == "ManifestNotFound" else {"complaint": f"{kind}: {complaint}"}


def _confine(last: int) -> None:
    """Give up what reading does not need: memory without bound, and any descriptor above `last`, be it a file or a socket."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (last + 1, last + 1))


if __name__ == "__main__":
    serve()
