"""The engine of one machine: this process, its threads, one device."""

from collections.abc import Iterable, Iterator

from manyheads_client.analysis import Attribution, attribute
from manyheads_client.bundle import Bundle
from manyheads_client.credentials import CredentialsReader
from manyheads_client.engines.port import Options
from manyheads_client.inputs import Item
from manyheads_client.records import Record
from manyheads_client.saliency.folder import SaliencyFolder


class LocalEngine:
    """Examines in this process."""

    def __init__(
        self,
        bundle: Bundle,
        options: Options,
        *,
        saliency: SaliencyFolder | None = None,
        credentials_of: CredentialsReader | None = None,
    ) -> None:
        """Load the networks.

        Args:
            saliency: where to write the saliency of every image, before its record is yielded; None: nowhere.
            credentials_of: see `analysis.attribute`.

        Raises:
            UsageError, FeatureContractError: as `analysis.attribute`.
        """
        from manyheads_shared.compute import choose_compute  # noqa: PLC0415 - torch takes seconds to load

        self._bundle, self._options, self._saliency, self._credentials_of = bundle, options, saliency, credentials_of
        compute = choose_compute(options.device, options.precision)
        bundle.scorer(compute)  # loading it is not the images' time
        self.where = f"{compute.device_name}, {compute.precision}"

    def examine(self, items: Iterable[Item]) -> Iterator[Record]:
        """Yield a record for each item, in their order."""
        how = self._options
        results = attribute(
            items,
            self._bundle,
            device=how.device,
            precision=how.precision,
            saliency=self._saliency is not None,
            stability=how.stability,
            jobs=how.jobs,
            credentials_of=self._credentials_of,
        )
        for result in results:
            if self._saliency and isinstance(result, Attribution):
                self._saliency.add(result)
            yield result.entry
