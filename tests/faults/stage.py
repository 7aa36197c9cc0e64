"""Everything a fault test runs: PostgreSQL, S3, replicas, workers, owners with packages, clients; in a folder, on loopback."""

import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from manyheads_client.fetch import HttpFetcher
from manyheads_client.store import Store
from manyheads_client.update import pull
from manyheads_hub.evaluations.policy import Policy, write_policy
from manyheads_hub.hub import Hub, open_hub
from manyheads_hub.settings import Limits, Settings
from manyheads_hub.webhooks import service as webhooks
from manyheads_hub.webhooks.outbox import EVENTS
from manyheads_shared.artifact import read_head, read_primary
from manyheads_shared.digest import digest_bytes, hex_of
from manyheads_shared.keys import generate_key
from manyheads_shared.networks import load_head
from tests.faults.part import Part
from tests.faults.receiver import Receiver
from tests.faults.victims import HUB, Server, Victim
from tests.support.grounds import PRODUCTION, move, new_ground, postgres, s3
from tests.support.live_hub import MAINTAINER, Owner, enrol, hand_over_files, issue, make_hub, package, replica, wait_until
from tests.support.makers import make_generator, make_head_bytes
from tests.support.ports import free_ports
from tests.support.world import draw_proofs, pack_head, trained_head, trained_primary

OWNERS = {"ada": "alpha", "bob": "beta"}
CLIENTS, READERS = 2, 2
BALLAST_BYTES = 5 << 20  # more than one piece of an upload
PROOFS = 20  # the fewest that a submission may have
CHEAP = Policy.new(  # few images: what is tried here is the hub, not its gate
    degradations=(),
    validity_images=8,
    quick_images=8,
    min_proofs=PROOFS // 2,
    min_generator=PROOFS // 2,
    max_generator_upper=0.5,
    examinations_per_epoch=10_000,
)
ROOMY = Limits(submissions_per_day=10_000, offers_per_day=10_000, requests_per_minute=100_000, transfers_per_minute=1_000_000)
KINDS = ("honest", "forged", "untrained", "honest", "honest", "honest")  # what an owner offers, in turn


@dataclass
class Stage:
    """What runs."""

    folder: Path
    hub: Hub
    urls: tuple[str, ...]
    replicas: list[Victim]
    workers: list[Victim]
    drivers: dict[str, list[Victim]]  # by role
    servers: list[Server]
    receiver: Receiver
    first_store: Store  # pulled before anything was killed
    forged: set[str] = field(default_factory=set)  # heads that must be turned away at the door

    @property
    def victims(self) -> list[Victim]:
        return [*self.replicas, *self.workers, *(driver for group in self.drivers.values() for driver in group)]

    def answers(self) -> bool:
        """Whether every replica listens."""
        return all(_answers(url) for url in self.urls)

    @property
    def root(self) -> bytes:
        return self.hub.settings.root.read_bytes()


@contextmanager
def setting(folder: Path, *, seed: int, offers: int, receiver: Receiver, hook: str) -> Iterator[Stage]:
    """Set the stage and start everything; whatever still runs at the end is stopped.

    Args:
        offers: how many heads each owner brings.
        hook: where the receiver listens.
    """
    home = _make_hub(folder / "hub")
    with open_hub(home) as hub:
        receiver.secret = _subscribe(hub, hook)
        urls, replicas = _replicas(hub, folder)
        workers = [_victim(folder, f"worker-{n}", *HUB, "worker", str(replica(hub, f"worker-{n}"))) for n in (1, 2)]
        drivers, forged = _drivers(hub, folder, urls, seed=seed, offers=offers)
        servers = [Server("postgres", postgres().kill, postgres().start), Server("s3", s3().kill, s3().start)]
        first = Store(folder / "first-store")
        stage = Stage(folder, hub, urls, replicas, workers, drivers, servers, receiver, first, forged)
        try:
            for victim in (*replicas, *workers):
                victim.start()
            _pull_first(stage)
            for victim in stage.victims[len(replicas) + len(workers) :]:
                victim.start()
            yield stage
        finally:
            for victim in reversed(stage.victims):
                if victim.exit_code is None and victim.runs:
                    victim.stop()


def journals(stage: Stage, role: str) -> list[Path]:
    return sorted((stage.folder / "drivers").glob(f"{role}-*/journal.jsonl"))


def _make_hub(folder: Path) -> Path:
    make_hub(folder)
    write_policy(folder / "policy.json", CHEAP)
    replace(Settings.read(folder), limits=ROOMY).write()
    move(folder, new_ground(PRODUCTION))
    return folder


def _subscribe(hub: Hub, hook: str) -> str:
    with hub.database.write() as session:
        return webhooks.add(session, MAINTAINER, hook, EVENTS, allow_private=True).secret


def _replicas(hub: Hub, folder: Path) -> tuple[tuple[str, ...], list[Victim]]:
    ports = free_ports(2)
    made = [
        _victim(folder, f"api-{n}", *HUB, "serve", str(replica(hub, f"api-{n}")), "--no-worker", "--port", str(port))
        for n, port in enumerate(ports, start=1)
    ]
    return tuple(f"http://127.0.0.1:{port}" for port in ports), made


def _victim(folder: Path, name: str, *arguments: str) -> Victim:
    (folder / "logs").mkdir(exist_ok=True)
    return Victim(name, arguments, folder / "logs" / f"{name}.log")


def _drivers(
    hub: Hub, folder: Path, urls: tuple[str, ...], *, seed: int, offers: int
) -> tuple[dict[str, list[Victim]], set[str]]:
    """Write every driver's part; return them by role, and the heads that no hub may take in."""
    made: dict[str, list[Victim]] = {}
    forged: set[str] = set()
    root = str(hub.settings.root)

    def add(role: str, number: int, token: str = "") -> Path:
        place = folder / "drivers" / f"{role}-{number}"
        Part(role, urls, token, seed * 100 + number, root).write(place)
        made.setdefault(role, []).append(_victim(folder, place.name, "-m", "tests.faults.drivers", str(place)))
        return place

    for number, (name, generator) in enumerate(OWNERS.items()):
        owner = enrol(hub, name, [generator])
        forged |= _write_offers(add("owner", number, owner.token), owner, generator, count=offers, seed=seed)
        hand_over_files(hub, owner, draw_proofs(generator, PROOFS))
    for number in range(CLIENTS):
        add("client", number)
    for number in range(READERS):
        add("reader", number)
    add("maintainer", 0, issue(hub, "grace", "maintainer"))
    return made, forged


def _write_offers(folder: Path, owner: Owner, name: str, *, count: int, seed: int) -> set[str]:
    """Write what an owner will bring; return the heads whose statements somebody else has signed.

    The proofs, the same for all of them, are at the hub already.
    """
    primary, proofs = read_primary(trained_primary()), draw_proofs(name, PROOFS)
    stranger, forged = Owner(owner.name, generate_key(), ""), set[str]()
    trained = load_head(read_head(trained_head(make_generator(name, owner=owner.name)), primary), primary)
    for number in range(count):
        kind, generator = KINDS[number % len(KINDS)], make_generator(name, str(number + 1), owner.name)
        untrained = kind == "untrained"
        head = make_head_bytes(primary, generator, seed=number) if untrained else pack_head(primary, generator, trained)
        offer = package(stranger if kind == "forged" else owner, generator, head=head, proofs=proofs)
        if kind == "forged":
            forged.add(digest_bytes(head))
        ballast = [_ballast(seed, owner.name, number)] if number % 2 == 0 else []
        _write_offer(folder, number, offer.request, [*ballast, offer.head, offer.statement])
    return forged


def _ballast(seed: int, owner: str, number: int) -> bytes:
    """A large object of an owner's: an upload that takes long enough to be cut."""
    return np.random.default_rng([seed, number, *owner.encode()]).bytes(BALLAST_BYTES)


def _write_offer(folder: Path, number: int, request: dict[str, object], files: Sequence[bytes]) -> None:
    place, kept = folder / "offers" / f"{number:03}", folder / "files"
    place.mkdir(parents=True)
    kept.mkdir(exist_ok=True)
    for data in files:
        path = kept / hex_of(digest_bytes(data))
        if not path.exists():
            path.write_bytes(data)
    (place / "offer.json").write_text(json.dumps({"request": request, "files": [digest_bytes(data) for data in files]}))


def _pull_first(stage: Stage) -> None:
    """Pull bundle 1, as soon as the replicas answer."""
    wait_until(stage.answers)
    pull(stage.first_store, stage.urls[0], stage.root, HttpFetcher())


def _answers(url: str) -> bool:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.socket() as asking:
        return asking.connect_ex((host, int(port))) == 0
