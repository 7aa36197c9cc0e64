"""The cells of the experiment: one training each, named by what it is, with what it starts from. Pure; nothing runs here.

Phases, as published: (I) detection on clean images; (II) the same network goes on, on degraded images; (III) attribution on
clean images: the reference network as heads on the frozen primary of phase II, the baselines from fresh weights; (IV)
attribution on degraded images: what phase III made goes on, but for heads on JPEG or cropped images, which start afresh on
the primary of phase II that was trained on the same images.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from benchmarks.paper.config import REPRESENTATIONS, Config, Network, Representation

Phase = Literal["I", "II", "III", "IV"]

DETECTION, MULTICLASS, HEADS = "detection", "multiclass", "heads"


@dataclass(frozen=True)
class Chain:
    """Cells that share weights, and so are worked off in one process."""

    images: str
    representation: Representation
    network: Network
    seed: int

    @property
    def name(self) -> str:
        """As a file name."""
        return f"{self.images}-{self.representation}-{self.network}-{self.seed}"


@dataclass(frozen=True)
class Cell:
    """One training. `heads` is one head for every generator, on one trunk."""

    images: str  # faces64
    representation: Representation
    network: Network
    question: str  # detection, heads, multiclass, or the generator that a baseline attributes to
    phase: Phase
    profile: str  # of the images it is trained on
    trunk: str | None  # heads: the profile its primary was trained on in phase II
    seed: int

    @property
    def name(self) -> str:
        """As a path."""
        trunk = f"-on-{self.trunk}" if self.trunk and self.trunk != self.profile else ""
        what = f"{self.question}-{self.phase}-{self.profile}{trunk}"
        return f"{self.images}/{self.representation}/{self.network}/{what}/seed-{self.seed}"

    @property
    def chain(self) -> Chain:
        """The chain it belongs to."""
        return Chain(self.images, self.representation, self.network, self.seed)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def list_cells(config: Config) -> tuple[Cell, ...]:
    """Every cell, seed by seed, parents before children."""
    return tuple(
        cell
        for seed in config.seeds
        for images, place in config.images.items()
        for representation in REPRESENTATIONS
        for network in place.networks
        for cell in _cells_of(config, images, representation, network, seed)
    )


def _cells_of(config: Config, images: str, representation: Representation, network: Network, seed: int) -> Iterator[Cell]:
    def cell(question: str, phase: Phase, profile: str, trunk: str | None = None) -> Cell:
        return Cell(images, representation, network, question, phase, profile, trunk, seed)

    yield cell(DETECTION, "I", config.clean)
    yield from (cell(DETECTION, "II", profile) for profile in config.degraded)
    if network == "reference":
        multis = [family.multi for family in config.families.values()]
        yield from (cell(HEADS, "III", config.clean, multi) for multi in multis)
        yield from (cell(HEADS, "IV", profile, profile) for profile in config.degraded)
        return
    place = config.images[images]
    for question in (place.easy, place.twin, MULTICLASS):
        yield cell(question, "III", config.clean)
        yield from (cell(question, "IV", profile) for profile in config.degraded)


def primary_of(cell: Cell) -> Cell | None:
    """The phase II primary whose trunk a cell's heads stand on."""
    if cell.trunk is None:
        return None
    return Cell(cell.images, cell.representation, cell.network, DETECTION, "II", cell.trunk, None, cell.seed)


def start_of(cell: Cell, config: Config) -> Cell | None:
    """The cell whose weights this one goes on from; None for fresh weights."""
    if cell.phase in ("I", "III"):
        return None
    before: Phase = "I" if cell.phase == "II" else "III"
    if cell.question == HEADS and cell.profile not in {family.multi for family in config.families.values()}:
        return None
    return Cell(cell.images, cell.representation, cell.network, cell.question, before, config.clean, cell.trunk, cell.seed)


def profiles_of(cell: Cell, config: Config) -> tuple[str, ...]:
    """The profiles a cell is tested on: phases I and III on everything, II and IV on clean and on what they learned from."""
    if cell.phase in ("II", "IV"):
        return (config.clean, cell.profile)
    if cell.question == HEADS:
        family = next(family for family in config.families.values() if family.multi == cell.trunk)
        return (config.clean, family.multi, family.jpeg, config.crop)
    return (config.clean, *config.degraded)


def parents_of(cell: Cell, config: Config) -> tuple[Cell, ...]:
    """The cells that must be trained before."""
    return tuple(parent for parent in (primary_of(cell), start_of(cell, config)) if parent is not None)
