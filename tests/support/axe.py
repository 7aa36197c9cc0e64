"""axe-core, which finds what a screen reader or a keyboard would stumble over: one script, fetched once, never committed."""

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path

VERSION = "4.10.3"
SHA256 = "880970c081707360e64f34cea25ff91892f5bc95675b0776925b9709dd8a68bb"  # of axe.min.js
SECONDS = 60
_MEMBER = "package/axe.min.js"


@cache
def find_axe() -> Path | None:
    """The script: the one that `AXE_CORE` names, or npm's, in ~/.cache/manyheads; None where neither is to be had.

    Raises:
        ValueError: npm gave another script than the one that was pinned.
    """
    if named := os.environ.get("AXE_CORE"):
        return Path(named)
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "manyheads"
    script = home / f"axe-{VERSION}.min.js"
    if not script.exists():
        data = _fetch()
        if data is None:
            return None
        if hashlib.sha256(data).hexdigest() != SHA256:
            raise ValueError(f"axe-core {VERSION}: expected axe.min.js with SHA-256 {SHA256}, got another")
        home.mkdir(parents=True, exist_ok=True)
        partial = script.with_suffix(f".{os.getpid()}")
        partial.write_bytes(data)
        partial.rename(script)
    return script


def _fetch() -> bytes | None:
    npm = shutil.which("npm")
    if npm is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        try:
            command = [npm, "pack", f"axe-core@{VERSION}", "--silent"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=SECONDS)
        except (subprocess.SubprocessError, OSError):
            return None
        (package,) = Path(folder).glob("*.tgz")
        with tarfile.open(fileobj=io.BytesIO(package.read_bytes())) as archive:
            member = archive.extractfile(_MEMBER)
            return member.read() if member else None
