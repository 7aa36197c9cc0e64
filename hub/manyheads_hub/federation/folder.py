"""The folder of one federated training: what a coordinator that is killed goes on from.

record.jsonl              the signed record so far; what it does not say, has not happened
weights-NNNN.safetensors  the state after round NNNN; 0000 is what training starts from
measured.safetensors      the last round's weights with the statistics that parties measured
app/                      the Flower app to run, the same for everybody
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from manyheads_hub.errors import HubError
from manyheads_hub.federation.deciding import ServerState
from manyheads_shared.artifact import Tensors
from manyheads_shared.digest import Digest
from manyheads_shared.errors import DigestMismatchError, UsageError
from manyheads_shared.federation.aggregation import Moments
from manyheads_shared.federation.messages import app_project
from manyheads_shared.federation.record import Record, read_record, split_lines
from manyheads_shared.federation.tensors import digest_tensors
from manyheads_shared.files import write_atomic

_TENSOR, _MEAN, _SQUARE = "tensor.", "server.mean", "server.square"
_KEPT_STATES = 2  # the newest, and the one before it


class FederationFolderError(HubError):
    """A folder that holds no federated training, or one that another coordinator is at."""

    exit_code = 2


@dataclass(frozen=True)
class FederationFolder:
    """The paths of one federated training."""

    path: Path

    @property
    def record(self) -> Path:
        """The signed record."""
        return self.path / "record.jsonl"

    @property
    def app(self) -> Path:
        """The Flower app."""
        return self.path / "app"

    @property
    def measured(self) -> Path:
        """The weights with measured statistics."""
        return self.path / "measured.safetensors"

    def weights(self, number: int) -> Path:
        """The state after a round."""
        return self.path / f"weights-{number:04d}.safetensors"

    def create(self, opening: bytes, initial: Tensors) -> None:
        """Begin a training in a new folder.

        Raises:
            UsageError: the folder holds one.
        """
        if self.record.exists():
            raise UsageError(f"{self.path} holds a federated training; choose another folder")
        self.write_state(0, ServerState(initial))
        write_atomic(self.app / "pyproject.toml", app_project().encode())
        write_atomic(self.record, opening + b"\n")  # last: with it the folder is a training

    def read(self) -> Record:
        """Read and verify the record so far.

        Raises:
            FederationFolderError: there is none.
            FormatError, VerificationError: as `read_record`.
        """
        return read_record(split_lines(self._read()))

    def opening_line(self) -> bytes:
        """The first line of the record, as parties are sent it.

        Raises:
            FederationFolderError: there is no record.
        """
        return self._read().partition(b"\n")[0]

    def last_line(self) -> bytes:
        """The last whole line of the record, which names the newest weights."""
        return split_lines(self._read())[-1]

    def _read(self) -> bytes:
        try:
            return self.record.read_bytes()
        except OSError as error:
            raise FederationFolderError(
                f"{self.path}: expected the folder of a federated training, as `federate prepare` makes; {error.strerror}"
            ) from error

    def append(self, line: bytes) -> None:
        """Add a line to the record; one that an earlier kill left half-written is dropped."""
        with self.record.open("r+b") as stream:
            stream.seek(stream.read().rfind(b"\n") + 1)
            stream.truncate()
            stream.write(line + b"\n")
            stream.flush()
            os.fsync(stream.fileno())

    def write_state(self, number: int, state: ServerState) -> None:
        """Write the state after a round, and drop those that nothing goes on from."""
        arrays: dict[str, NDArray[Any]] = {
            f"{_TENSOR}{name}": np.ascontiguousarray(tensor) for name, tensor in state.tensors.items()
        }
        if state.moments is not None:
            arrays |= {_MEAN: state.moments.mean, _SQUARE: state.moments.square}
        write_atomic(self.weights(number), safetensors.numpy.save(arrays))
        if number > _KEPT_STATES:
            self.weights(number - _KEPT_STATES).unlink(missing_ok=True)

    def read_state(self, record: Record) -> ServerState:
        """Read the state that the record ends with.

        Raises:
            DigestMismatchError: the file holds other weights than the record says.
            FederationFolderError: it is not there or damaged.
        """
        number = len(record.rounds)
        expected = record.rounds[-1].weights if record.rounds else record.plan.initial
        arrays = _read_arrays(self.weights(number))
        tensors = {name.removeprefix(_TENSOR): array for name, array in arrays.items() if name.startswith(_TENSOR)}
        _verify(self.weights(number), tensors, expected)
        return ServerState(tensors, Moments(arrays[_MEAN], arrays[_SQUARE]) if _MEAN in arrays else None)

    def write_measured(self, tensors: Tensors) -> None:
        """Write the weights with measured statistics."""
        write_atomic(self.measured, safetensors.numpy.save(dict(tensors)))

    def read_measured(self, record: Record) -> Tensors:
        """Read the weights with measured statistics.

        Raises:
            FederationFolderError: the record has no measurement, or the file is not there or damaged.
            DigestMismatchError: the file holds other weights than the record says.
        """
        if record.measurement is None:
            raise FederationFolderError(f"{self.path}: the record has no measurement yet; run the app until it ends")
        tensors = _read_arrays(self.measured)
        _verify(self.measured, tensors, record.measurement.weights)
        return tensors

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other coordinators away while the block runs.

        Raises:
            FederationFolderError: another one is at it.
        """
        with (self.path / ".lock").open("wb") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise FederationFolderError(
                    f"{self.path}: another coordinator is at this training; stop that run first"
                ) from error
            yield


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        return safetensors.numpy.load(path.read_bytes())
    except (OSError, safetensors.SafetensorError) as error:
        raise FederationFolderError(f"{path}: expected the weights that the record speaks of: {error}") from error


def _verify(path: Path, tensors: Tensors, expected: Digest) -> None:
    if (found := digest_tensors(tensors)) != expected:
        raise DigestMismatchError(str(path), expected, found)
