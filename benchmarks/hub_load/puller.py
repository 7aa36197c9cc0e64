"""A process of a crowd: every member is a client with a store of its own. `URL ROOT STORE…`"""

import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.hub_load.crowd import serve_crowd
from manyheads_client.fetch import HttpFetcher
from manyheads_client.store import Store
from manyheads_client.update import pull
from manyheads_shared.errors import ManyheadsError


def pull_once(store: str, *, url: str, root: bytes) -> dict[str, Any]:
    """Pull, verified from the root down; the store is new or has been pulled to before."""
    began = time.perf_counter()
    try:
        pulled = pull(Store(Path(store)), url, root, HttpFetcher())
    except ManyheadsError as error:
        return {"seconds": time.perf_counter() - began, "bytes": 0, "objects": 0, "error": f"{type(error).__name__}: {error}"}
    return {
        "seconds": time.perf_counter() - began,
        "bytes": pulled.fetched_bytes,
        "objects": pulled.fetched,
        "sequence": pulled.held.sequence,
        "error": None,
    }


if __name__ == "__main__":
    address, root_file, *stores = sys.argv[1:]
    serve_crowd(stores, partial(pull_once, url=address, root=Path(root_file).read_bytes()))
