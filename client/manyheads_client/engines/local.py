"""The engine of one machine: this process, its threads, one device."""

from collections.abc import Iterable, Iterator

from manyheads_client.analysis import attribute
from manyheads_client.bundle import Bundle
from manyheads_client.engines.port import Options
from manyheads_client.inputs import Item
from manyheads_client.records import Record


class LocalEngine:
    """Examines in this process."""

    def __init__(self, bundle: Bundle, options: Options) -> None:
        """Load the networks.

        Raises:
            UsageError, FeatureContractError: as `analysis.attribute`.
        """
        from manyheads_shared.compute import choose_compute  # noqa: PLC0415 - torch takes seconds to load

        self._bundle, self._options = bundle, options
        compute = choose_compute(options.device, options.precision)
        bundle.scorer(compute)  # loading it is not the images' time
        self.where = f"{compute.device_name}, {compute.precision}"

    def examine(self, items: Iterable[Item]) -> Iterator[Record]:
        """Yield a record for each item, in their order."""
        how = self._options
        results = attribute(
            items, self._bundle, device=how.device, precision=how.precision, stability=how.stability, jobs=how.jobs
        )
        return (result.entry for result in results)
