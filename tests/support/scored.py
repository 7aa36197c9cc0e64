"""Score documents with chosen logits, for tests of what is computed from them."""

from collections.abc import Iterable

from manyheads_hub.evaluations.scores import Score, Scores
from manyheads_shared.dataset import Kind
from manyheads_shared.digest import Digest, digest_bytes

PRIMARY, SUITE, HEAD = (digest_bytes(name) for name in (b"primary", b"suite", b"head"))
YES, NO = 5.0, -5.0


def make_rows(
    kind: Kind,
    source: str,
    count: int,
    *,
    claimed: int = 0,
    called_generated: int | None = None,
    external: bool = False,
    proof: bool = False,
    head: bool = True,
) -> list[Score]:
    """`count` rows for each half. In the test half `claimed` have a head logit of YES, all others NO; likewise the detector.

    The calibration half of proofs is all claimed, that of other sources not at all.
    """
    generated = (count if kind == "generated" else 0) if called_generated is None else called_generated
    rows = []
    for i in range(count):
        for part in ("calibration", "test"):
            yes, fake = (i < claimed, i < generated) if part == "test" else (proof, kind == "generated")
            spread = i / 1000  # no two alike
            rows.append(
                Score(
                    kind=kind,
                    source=source,
                    external=external,
                    proof=proof,
                    digest=digest_bytes(f"{kind} {source} {external} {proof} {part} {i}".encode()),
                    part="calibration" if part == "calibration" else "test",
                    detector=(YES if fake else NO) + spread,
                    head=((YES if yes else NO) + spread) if head else None,
                )
            )
    return rows


def make_scores(*rows: Iterable[Score], head: Digest | None = HEAD, suite: Digest = SUITE) -> Scores:
    """A document of these rows."""
    return Scores.new(
        suite=suite,
        primary=PRIMARY,
        head=head,
        device="test",
        precision="float32",
        software="manyheads test",
        rows=tuple(row for several in rows for row in several),
        unusable=(),
    )
