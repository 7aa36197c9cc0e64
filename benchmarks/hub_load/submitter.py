"""A process of a crowd: every member is an owner who submits one package, as the contributor kit does. `URL FOLDER…`

A folder holds head.safetensors, its statement, proofs/ and the owner's token.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.hub_load.crowd import serve_crowd
from manyheads_contributor.commands.submit import UPLOADS_AT_ONCE
from manyheads_contributor.hub_client import HubClient
from manyheads_contributor.submission import check_offer
from manyheads_shared.errors import ManyheadsError


def submit_once(folder: str, *, url: str) -> dict[str, Any]:
    """Upload a package, file by file, and offer it."""
    place = Path(folder)
    offer = check_offer(place / "head.safetensors", place / "proofs")
    began = uploaded = time.perf_counter()
    found: dict[str, Any] = {"head": offer.head, "id": None, "error": None, "bytes": 0}
    try:
        with HubClient(url, (place / "token").read_text()) as client:
            with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
                found["bytes"] = sum(pool.map(lambda item: client.upload(*item), offer.files.items()))
            uploaded = time.perf_counter()
            found["id"] = client.submit(offer.request).id
    except ManyheadsError as error:
        found["error"] = f"{type(error).__name__}: {error}"
    ended = time.perf_counter()
    return found | {"seconds": ended - began, "upload_seconds": uploaded - began, "offer_seconds": ended - uploaded}


if __name__ == "__main__":
    address, *folders = sys.argv[1:]
    serve_crowd(folders, partial(submit_once, url=address))
