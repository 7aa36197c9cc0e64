"""The two programs a run needs from the machine: nginx, to compare with, and wrk, to ask."""

import os
import shutil

from manyheads_shared.errors import UsageError


def find_tools() -> dict[str, str]:
    """Return where nginx and wrk are.

    Raises:
        UsageError: one is not installed.
    """
    places = f"{os.environ.get('PATH', '')}:/usr/sbin"  # where Debian puts nginx
    found = {name: shutil.which(name, path=places) for name in ("nginx", "wrk")}
    if missing := [name for name, path in found.items() if path is None]:
        raise UsageError(
            f"the load test needs {' and '.join(missing)}: apt-get install {' '.join(missing)} (Debian), then run it again"
        )
    return {name: path for name, path in found.items() if path is not None}
