"""What a scan asks of an engine, and how images are examined whichever it is."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from manyheads_client.inputs import Item
from manyheads_client.records import Record


@dataclass(frozen=True)
class Options:
    """How images are examined; see `analysis.attribute`."""

    device: str = "auto"
    precision: str = "auto"
    stability: bool = False
    jobs: int | None = None  # threads that decode, of one process


class Engine(Protocol):
    """Makes records of items. The same bundle, software and device make the same records, whichever engine runs them."""

    @property
    def where(self) -> str:
        """Where images are examined, in words."""

    def examine(self, items: Iterable[Item]) -> Iterator[Record]:
        """Yield a record for each item, in their order.

        Items are taken in the caller's thread and never far ahead of the records: neither number may grow the memory.

        Raises:
            ManyheadsError: no more can be examined; what was yielded until then holds.
        """
