"""A scan: a stream of items into a record file. What is recorded is passed over, and a kill costs seconds of work at most."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from manyheads_client.engines.port import Engine
from manyheads_client.inputs import Item
from manyheads_client.records import Record, RecordFile
from manyheads_client.saliency.folder import SaliencyFolder

WRITE_IMAGES = 64  # records synced at once …
WRITE_SECONDS = 2.0  # … or after this long: what a kill can cost


@dataclass(frozen=True)
class Scanned:
    """What a scan did."""

    passed: int  # items that were recorded before
    examined: int  # items that were not, failures included
    seconds: float


def scan(
    items: Iterable[Item],
    file: RecordFile,
    engine: Engine,
    *,
    saliency: SaliencyFolder | None = None,
    on_item: Callable[[], None] = lambda: None,
) -> Scanned:
    """Attribute what the record file does not hold yet, writing as it goes.

    Args:
        saliency: where the engine writes saliency, if it does; what is not there is examined again.
        on_item: called for every item once its record is made, or found.

    Raises:
        As `Engine.examine`; what was examined until then is recorded.
    """
    passed = 0

    def left() -> Iterable[Item]:
        nonlocal passed
        for item in items:
            if not _is_done(item, file, saliency):
                yield item
                continue
            passed += 1
            on_item()

    examined = 0
    pending: list[Record] = []
    started = written = time.monotonic()
    try:
        for record in engine.examine(left()):
            pending.append(record)
            examined += 1
            on_item()
            if len(pending) >= WRITE_IMAGES or time.monotonic() - written > WRITE_SECONDS:
                file.write(pending)
                pending, written = [], time.monotonic()
    finally:
        file.write(pending)
    return Scanned(passed, examined, time.monotonic() - started)


def _is_done(item: Item, file: RecordFile, saliency: SaliencyFolder | None) -> bool:
    if not file.has(item):
        return False
    return saliency is None or file.has_failed(item) or saliency.has(item.name, file.instruments)
