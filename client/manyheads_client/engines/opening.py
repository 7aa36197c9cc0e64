"""Which engine examines: the local one, or that of a Ray cluster; opened for the time of a scan."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from manyheads_client.bundle import Bundle
from manyheads_client.engines.cluster import Cluster, guard_cluster
from manyheads_client.engines.port import Engine, Options
from manyheads_client.saliency.folder import SaliencyFolder
from manyheads_client.store import default_store
from manyheads_shared.errors import UsageError


@contextmanager
def open_engine(
    bundle: Bundle, store: Path | None, options: Options, *, cluster: Cluster | None, saliency: SaliencyFolder | None
) -> Iterator[Engine]:
    """Open the engine that was asked for.

    Args:
        store: that `bundle` was opened from; None: the default one.
        cluster: of Ray; None: this process examines.
        saliency: where this process writes maps.

    Raises:
        UsageError: Ray is not installed.
        ClusterError: no cluster at this address, or one of other versions.
    """
    if cluster is None:
        from manyheads_client.engines.local import LocalEngine  # noqa: PLC0415 - torch takes seconds to load

        yield LocalEngine(bundle, options, saliency=saliency)
        return
    if cluster.address is None:
        guard_cluster()
    try:
        from manyheads_client.engines.ray import open_ray  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UsageError("--engine ray needs Ray Data: pip install 'manyheads[ray]'") from error
    with open_ray(bundle, store or default_store(), options, cluster) as engine:
        yield engine
