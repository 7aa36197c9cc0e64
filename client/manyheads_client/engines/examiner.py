"""What an actor of a cluster runs: the bundle, opened and verified once, then parcel after parcel. It knows nothing of Ray."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from manyheads_client.bundle import open_held
from manyheads_client.credentials import CredentialsReader
from manyheads_client.engines.local import LocalEngine
from manyheads_client.engines.parcels import pack_records, pack_refusal, unpack_items
from manyheads_client.engines.port import Options
from manyheads_client.store import Store
from manyheads_shared.digest import Digest
from manyheads_shared.errors import ManyheadsError, VerificationError
from manyheads_shared.terminal import silence_pillow


@dataclass(frozen=True)
class Charge:
    """What every actor is told: which bundle of which store, and how to use it."""

    store: str  # absolute; the same folder on every node
    sequence: int
    bundle: Digest
    options: Options


class Examiner:
    """Examines parcels."""

    def __init__(self, charge: Charge) -> None:
        """Open nothing yet: what goes wrong over a parcel reaches the driver in words, what goes wrong here would not."""
        silence_pillow()  # the process is ours
        self._charge = charge
        self._credentials = CredentialsReader()  # for every parcel; its processes end when this one does

    def __call__(self, parcel: pa.Table) -> pa.Table:
        """Examine one parcel; say why where that cannot be."""
        number, items = unpack_items(parcel)
        try:
            return pack_records(number, list(self._engine.examine(items)))
        except ManyheadsError as error:
            return pack_refusal(number, error)

    @cached_property
    def _engine(self) -> LocalEngine:
        """The bundle, opened as `Bundle.open` does, from the trusted root down."""
        charge = self._charge
        store = Store(Path(charge.store))
        bundle = open_held(store, store.find_held(charge.sequence))
        if bundle.verified.digest != charge.bundle:
            raise VerificationError(
                f"{charge.store}: expected bundle {charge.bundle}, as the driver opened, got {bundle.verified.digest}. "
                "Name a store that is the same folder on every node."
            )
        return LocalEngine(bundle, charge.options, credentials_of=self._credentials)
