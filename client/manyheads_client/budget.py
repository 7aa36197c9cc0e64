"""A budget that threads draw from: how much of something may exist at once, whoever needs it."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Budget:
    """So many units, held and given back.

    Example:
        >>> budget = Budget(100_000_000)
        >>> with budget.hold(24_000_000):
        ...     decode()
    """

    def __init__(self, units: int) -> None:
        self.units = units
        self._free, self._changed = units, Condition()

    @contextmanager
    def hold(self, units: int) -> Iterator[None]:
        """Hold units while the block runs, waiting until they are free. Who asks for more than there are gets all of them."""
        wanted = min(units, self.units)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= wanted)
            self._free -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify_all()
