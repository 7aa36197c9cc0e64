"""The record of a federated training: who sent what, what was refused and why, what came of it. Chained, every line signed.

    line 1           the opening: the plan and the key that signs
    lines 2 …        one for each round
    last but one     the measurement: statistics of batch norm, of the last weights; not under differential privacy
    last line        the outcome: the primary that was made, and what privacy was spent

Each line is an envelope (`envelope`) around a link (`chain`). Specification: docs/formats/federation.md. Whether a record keeps
its own plan and is that of a primary is for `verification`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from securesystemslib.signer import CryptoSigner, SSlibKey

from manyheads_shared.canonical import from_canonical
from manyheads_shared.chain import GENESIS, Head, Link, verify_links
from manyheads_shared.digest import Digest
from manyheads_shared.document import Count, Fraction, Ordinal, Value
from manyheads_shared.envelope import read_envelope, sign_envelope, verify_signed
from manyheads_shared.errors import ManifestError, SignatureError
from manyheads_shared.federation.plan import Plan, TrustingPlan
from manyheads_shared.keys import parse_public_key, public_pem
from manyheads_shared.manifest import DigestField, Name, Sentence, Time

PAYLOAD_TYPE = "application/vnd.manyheads.federation+json"
MAX_LINE_BYTES = 16 << 20  # a round of 10,000 parties is about 5 MB
OPENING_SEQUENCE = 1


State = Literal["accepted", "rejected", "absent"]  # absent: no answer in time, or the node failed


class Opening(Link):
    """The first line. Its digest names the training; every message of a round carries it."""

    FORMAT: ClassVar[str] = "manyheads.federation-opening/1"

    plan: Plan | TrustingPlan
    public_key: str  # PEM, of the key that signs every line


class PartyRound(Value):
    """What became of one party in one round."""

    party: Name
    state: State
    reasons: tuple[Sentence, ...]
    update: DigestField | None  # of the tensors it sent, where they could be read
    examples: Count | None
    loss: float | None
    norm: float | None  # L2, of the change of its weights
    influence: Fraction | None  # share of the aggregate; None where every coordinate has its own


class Round(Link):
    """One aggregation."""

    FORMAT: ClassVar[str] = "manyheads.federation-round/1"

    opening: DigestField
    round: Ordinal
    parties: tuple[PartyRound, ...]  # in the plan's order
    strangers: Count  # replies from nodes of no party; none of them was read
    faulty_parties: Count  # that the strategy still had to withstand: the plan's, less those rejected, at least 1
    norm: float  # L2, of the change that came of it
    weights: DigestField  # after it, statistics among them
    began: Time
    ended: Time


class PartyMeasurement(Value):
    """What became of one party's statistics."""

    party: Name
    state: State
    reasons: tuple[Sentence, ...]
    statistics: DigestField | None
    examples: Count | None
    influence: Fraction | None


class Measurement(Link):
    """The statistics of batch norm under the last round's weights, measured by the parties."""

    FORMAT: ClassVar[str] = "manyheads.federation-measurement/1"

    opening: DigestField
    parties: tuple[PartyMeasurement, ...]
    weights: DigestField  # with the new statistics
    ended: Time


class Outcome(Link):
    """The last line."""

    FORMAT: ClassVar[str] = "manyheads.federation-outcome/1"

    opening: DigestField
    rounds: Ordinal
    weights: DigestField  # of the primary, statistics as last measured
    primary: DigestField  # of the artifact
    epsilon: float | None  # of the privacy spent; None: there is none
    statistics: Literal["parties", "public images"]  # who measured those of batch norm
    created: Time


Line = Opening | Round | Measurement | Outcome
LINES: dict[str, type[Line]] = {kind.FORMAT.partition("/")[0]: kind for kind in (Opening, Round, Measurement, Outcome)}


@dataclass(frozen=True)
class Record:
    """The lines of a record whose signatures and chain hold."""

    opening: Opening
    rounds: tuple[Round, ...]
    measurement: Measurement | None
    outcome: Outcome | None  # None: not finished yet
    head: Head
    key: SSlibKey

    @property
    def plan(self) -> Plan:
        """The plan of the training."""
        return self.opening.plan


def write_opening(plan: Plan, signer: CryptoSigner) -> bytes:
    """The first line of a new record."""
    opening = Opening.new(sequence=OPENING_SEQUENCE, previous=GENESIS, plan=plan, public_key=public_pem(signer.public_key))
    return sign_line(opening, signer)


def sign_line(link: Line, signer: CryptoSigner) -> bytes:
    """One line, without the line feed."""
    return sign_envelope(link.to_bytes(), PAYLOAD_TYPE, signer)


def read_opening(line: bytes, key: SSlibKey) -> Opening:
    """Read and verify the first line of a record, as a party does before it trains.

    Raises:
        ManifestError, UnsupportedVersionError: it is none.
        SignatureError: not signed by `key`.
        ChainError: not the first line.
    """
    link = _read_line(line, key)
    if not isinstance(link, Opening):
        raise ManifestError(f"federation: expected the opening of a training, got a {link.format}")
    _verify_named_key(link, key)
    verify_links([link], log="federation record")
    return link


def weights_to_start_from(opening: Opening, line: bytes, number: int, key: SSlibKey) -> Digest:
    """The tensors that a round begins with, by the maintainer's word: who carries the message can put no others there.

    Args:
        line: the record's last one when the round began.
        number: of the round; one beyond the last for the measurement.

    Raises:
        ManifestError, UnsupportedVersionError: it is no line of a record, or not the one before this round.
        SignatureError: not signed by `key`.
    """
    if number == 1:
        return opening.plan.initial
    link = _read_line(line, key)
    if not isinstance(link, Round) or link.opening != opening.digest or link.round != number - 1:
        raise ManifestError(
            f"federation: expected the line of round {number - 1} of this training with round {number}'s weights"
        )
    return link.weights


def read_record(lines: Sequence[bytes], key: SSlibKey | None = None) -> Record:
    """Read a record and verify what holds it together.

    The plan: (1) an opening, signed by the key that it names, which is the one expected; (2) every line signed by it; (3) the
    chain; (4) rounds 1, 2, 3 …, a measurement or none, an outcome or none, all of this training.

    Args:
        key: the maintainer's; None: whoever signed, which then says nothing of who that is.

    Raises:
        ManifestError, UnsupportedVersionError: a line is not what the format says, or not in its place.
        SignatureError: a signature does not hold, or is by another key.
        ChainError: lines were changed, moved or taken out.
    """
    if not lines:
        raise ManifestError("federation record: expected lines, got an empty file")
    # step 1
    payload = read_envelope(lines[0], PAYLOAD_TYPE, name="federation record", max_bytes=2 * MAX_LINE_BYTES).payload
    named = parse_public_key(Opening.from_bytes(payload).public_key)
    opening = read_opening(lines[0], key or named)
    # step 2
    links = [opening, *(_read_line(line, named) for line in lines[1:])]
    # step 3
    head = verify_links(links, log="federation record")
    # step 4
    rounds, rest = [link for link in links if isinstance(link, Round)], links[1:]
    measurement = next((link for link in rest if isinstance(link, Measurement)), None)
    outcome = next((link for link in rest if isinstance(link, Outcome)), None)
    if rest != [*rounds, *filter(None, (measurement, outcome))] or [r.round for r in rounds] != list(range(1, len(rounds) + 1)):
        raise ManifestError(
            "federation record: expected rounds 1, 2, 3 …, a measurement, the outcome; got lines in another order"
        )
    if any(link.opening != opening.digest for link in rest if not isinstance(link, Opening)):
        raise ManifestError("federation record: a line is of another training")
    return Record(opening, tuple(rounds), measurement, outcome, head, named)


def split_lines(data: bytes) -> list[bytes]:
    """The whole lines of a record file; one that a kill left half-written is no line."""
    return data.split(b"\n")[:-1]


def next_place(record: Record) -> dict[str, object]:
    """Sequence and previous of the line that comes next."""
    return {"sequence": record.head.sequence + 1, "previous": record.head.digest}


def sent_updates(rounds: Iterable[Round]) -> set[Digest]:
    """The digests of all updates of some rounds."""
    return {party.update for entry in rounds for party in entry.parties if party.update is not None}


def _read_line(line: bytes, key: SSlibKey) -> Line:
    envelope = read_envelope(line, PAYLOAD_TYPE, name="federation record", max_bytes=2 * MAX_LINE_BYTES)
    verify_signed(envelope, key, name="federation record", by="the federation's maintainer")
    value = from_canonical(envelope.payload, name="federation record", max_bytes=MAX_LINE_BYTES)
    name = str(value.get("format")).partition("/")[0] if isinstance(value, dict) else ""
    if name not in LINES:
        raise ManifestError(f"federation record: expected one of {', '.join(LINES)}, got {name[:60]!r}")
    return LINES[name].from_bytes(envelope.payload)


def _verify_named_key(opening: Opening, key: SSlibKey) -> None:
    named = parse_public_key(opening.public_key)
    if named.keyid != key.keyid:
        raise SignatureError(
            f"federation: expected a training signed by {key.keyid[:12]}, it names key {named.keyid[:12]}; "
            "ask the maintainer which is right"
        )
