"""A hub full of rows for the pages: heads good and doubtful, one yanked, one replaced, submissions in every state.

The figures are drawn, not measured; their intervals, documents and pictures are made by the real functions.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from manyheads_hub.evaluations.pictures import Picture, draw_picture
from manyheads_hub.evaluations.policy import Policy, write_policy
from manyheads_hub.hub import Hub, build_hub
from manyheads_hub.migrations.run import upgrade
from manyheads_hub.settings import Settings
from manyheads_hub.tables import (
    BundleRow,
    ContributorRow,
    HeadRow,
    JobRow,
    PictureRow,
    PrimaryRow,
    PublishedObjectRow,
    SubmissionRow,
)
from manyheads_shared.api import EvaluationInfo, Reason, ShareInfo, SourceInfo
from manyheads_shared.bundle import BundleHead, BundleManifest, LeftOut
from manyheads_shared.calibration import Band, Calibration
from manyheads_shared.digest import Digest, digest_bytes
from manyheads_shared.keys import generate_key, public_pem
from manyheads_shared.manifest import Generator
from manyheads_shared.metrics import clopper_pearson
from tests.support.pictures import draw_pictures

SUITE = digest_bytes(b"suite")
PRIMARY = digest_bytes(b"primary")
OWNERS = {"litalien": generate_key(), "hee9joon": generate_key(), "sunshineatnoon": generate_key(), "anantzoid": generate_key()}
HUB_KEY = generate_key()

REAL, EXTERNAL = ("celeba", "utkface"), ("dcgan-hee9joon", "ebgan-hee9joon", "vae-gan-hee9joon", "wgan-gp-hee9joon")
GENERATORS = {  # name -> owner, recall hits of 40, AUROC, false positives of other catalogued generators (of 40)
    "began-anantzoid": ("anantzoid", 40, 1.0, {}),
    "began-hee9joon": ("hee9joon", 39, 0.9987, {"began-sunshineatnoon": 1}),
    "began-sunshineatnoon": ("sunshineatnoon", 38, 0.9961, {"began-anantzoid": 1}),
    "dcgan-litalien": ("litalien", 31, 0.962, {"lsgan-litalien": 1, "wgan-litalien": 1}),
    "wgan-litalien": ("litalien", 34, 0.971, {"dcgan-litalien": 1}),
}
YANK_REASON = "The owner found test images among the training images of this head."
REPLACED_REASON = "wgan-litalien@2 took its place"
EXTERNAL_HITS = {"began-anantzoid": (0, 1, 0, 0), "dcgan-litalien": (19, 2, 0, 27), "wgan-litalien": (8, 0, 1, 30)}


def make_gallery(folder: Path) -> Hub:
    """Make a hub in `folder` and fill it."""
    hub = make_empty_hub(folder)
    with hub.database.write() as session:
        session.add_all(_contributors())
        session.add(_primary())
        session.flush()
        session.add_all(_submissions())
        session.flush()
        session.add_all(_heads())
        session.flush()
        for name in GENERATORS:
            session.add_all(_pictures(hub, name))
        for sequence in (1, 2, 3):
            session.add_all(_bundle(hub, sequence))
            session.flush()
        session.add_all(_jobs())
    return hub


def make_empty_hub(folder: Path) -> Hub:
    """Make a hub without a row."""
    settings = Settings(folder, name="faces-hub")
    folder.mkdir(parents=True, exist_ok=True)
    settings.write()
    write_policy(settings.policy, Policy.new())
    hub = build_hub(settings)
    upgrade(hub.database)
    return hub


def share(hits: int, total: int) -> ShareInfo:
    bounds = clopper_pearson(hits, total)
    assert bounds is not None
    return ShareInfo(share=hits / total, lower=bounds.lower, upper=bounds.upper, hits=hits, total=total)


def make_generator(name: str, version: str = "1") -> Generator:
    return Generator(name=name, version=version, owner=GENERATORS[name][0], level="instance")


def make_evaluation(
    name: str, *, recall: int, auroc: float = 0.99, claims: Mapping[str, int] | None = None, real: int = 0
) -> EvaluationInfo:
    """An evaluation on the suite: `claims` are false positives by generator, `real` those on photographs."""
    claims = claims or {}
    sources = [
        SourceInfo(kind="real", source="celeba", external=False, yes=share(real, 1250)),
        *(
            SourceInfo(kind="generated", source=other, external=False, yes=share(claims.get(other, 0), 40))
            for other in (*GENERATORS, "lsgan-litalien")
            if other != name
        ),
        SourceInfo(kind="real", source="utkface", external=True, yes=share(real * 2, 300)),
        *(
            SourceInfo(kind="generated", source=source, external=True, yes=share(hits, 32))
            for source, hits in zip(EXTERNAL, EXTERNAL_HITS.get(name, (0, 0, 0, 0)), strict=True)
        ),
    ]
    return EvaluationInfo(
        suite=SUITE,
        threshold=1.37,
        recall=share(recall, 40),
        false_positives=sources,
        auroc=auroc,
        contradiction=share(1, 1240),
    )


def head_digest(name: str, version: str = "1") -> Digest:
    return digest_bytes(f"head {name}@{version}".encode())


def _contributors() -> list[ContributorRow]:
    return [
        ContributorRow(
            id=i,
            owner=owner,
            key_id=key.public_key.keyid,
            public_key=public_pem(key.public_key),
            enrolled="2026-01-01T09:00:00Z",
        )
        for i, (owner, key) in enumerate(OWNERS.items(), 1)
    ]


def _contributor_id(name: str) -> int:
    return list(OWNERS).index(GENERATORS[name][0]) + 1


def _primary() -> PrimaryRow:
    return PrimaryRow(
        digest=PRIMARY,
        name="faces64",
        version="1",
        architecture="khoo2022-pixel",
        image_size=64,
        size_bytes=112_344,
        added="2026-01-01T10:00:00Z",
        published="2026-01-01T10:02:11Z",
    )


def _evaluation_of(name: str) -> EvaluationInfo:
    _, recall, auroc, claims = GENERATORS[name]
    return make_evaluation(name, recall=recall, auroc=auroc, claims=claims, real=2 if "litalien" in name else 0)


def _submissions() -> list[SubmissionRow]:
    accepted = [
        _submission(f"a{i:011x}", make_generator(name), "accepted", evaluation=_evaluation_of(name), sequence=2, hour=i)
        for i, name in enumerate(GENERATORS)
    ]
    newer = make_generator("wgan-litalien", "2")
    lsgan = Generator(name="lsgan-litalien", version="1", owner="litalien", level="instance")
    architecture = Generator(name="began", version="1", owner="hee9joon", level="architecture")
    return [
        *accepted,
        _submission("b00000000001", newer, "accepted", evaluation=_evaluation_of("wgan-litalien"), sequence=3, hour=7),
        _submission(
            "c00000000001",
            lsgan,
            "refused",
            evaluation=make_evaluation("lsgan-litalien", recall=13, auroc=0.868, claims={"dcgan-litalien": 9}, real=21),
            reasons=[
                Reason(
                    code="recall-too-low",
                    message="of 40 proof images the head claimed 13; the lower bound 18.6 % is below 50.0 %.",
                ),
                Reason(
                    code="false-positives-generator",
                    message="of 40 images of dcgan-litalien the head claimed 9; the upper bound 38.5 % is above 15.0 %.",
                ),
            ],
            hour=8,
        ),
        _submission(
            "d00000000001",
            make_generator("began-hee9joon", "2"),
            "failed",
            reasons=[
                Reason(
                    code="feature-contract", message="The probe of the head differs from the primary's by 0.3; expected 0.001."
                )
            ],
            hour=9,
        ),
        _submission("e00000000001", architecture, "evaluating", hour=10),
        _submission("e00000000002", make_generator("began-anantzoid", "2"), "received", hour=11),
        _submission("e00000000003", make_generator("began-sunshineatnoon", "2"), "received", hour=12),
    ]


def _submission(
    submission_id: str,
    generator: Generator,
    state: str,
    *,
    evaluation: EvaluationInfo | None = None,
    reasons: Sequence[Reason] = (),
    sequence: int | None = None,
    hour: int = 0,
) -> SubmissionRow:
    return SubmissionRow(
        id=submission_id,
        contributor_id=list(OWNERS).index(generator.owner) + 1,
        generator=generator.name,
        version=generator.version,
        owner=generator.owner,
        level=generator.level,
        head=head_digest(generator.name, generator.version),
        primary=PRIMARY,
        owner_statement=digest_bytes(f"owner's word on {generator.title}".encode()),
        owner_key=OWNERS[generator.owner].public_key.keyid,
        proofs=[digest_bytes(f"secret proof of {generator.title}".encode())],
        state=state,
        reasons=[reason.model_dump(mode="json") for reason in reasons],
        evaluation=evaluation.model_dump(mode="json") if evaluation else None,
        bundle_sequence=sequence,
        created=f"2026-01-02T{hour:02d}:04:05Z",
        updated=f"2026-01-02T{hour:02d}:06:44Z",
    )


def _heads() -> list[HeadRow]:
    states = {"began-sunshineatnoon": ("yanked", YANK_REASON)}
    rows = [_head(make_generator(name), f"a{i:011x}", *states.get(name, ("listed", None))) for i, name in enumerate(GENERATORS)]
    rows[-1].state, rows[-1].reason = "replaced", REPLACED_REASON
    return [*rows, _head(make_generator("wgan-litalien", "2"), "b00000000001", "listed", None)]


def _head(generator: Generator, submission_id: str, state: str, reason: str | None) -> HeadRow:
    return HeadRow(
        digest=head_digest(generator.name, generator.version),
        submission_id=submission_id,
        contributor_id=_contributor_id(generator.name),
        generator=generator.name,
        version=generator.version,
        owner=generator.owner,
        level=generator.level,
        primary=PRIMARY,
        state=state,
        reason=reason,
        owner_statement=digest_bytes(f"owner's word on {generator.title}".encode()),
        hub_statement=digest_bytes(f"hub's word on {generator.title}".encode()),
        proofs=[],
        evaluation=_evaluation_of(generator.name).model_dump(mode="json"),
        accepted="2026-01-02T08:10:00Z",
    )


def _pictures(hub: Hub, name: str) -> list[PictureRow]:
    seed = list(GENERATORS).index(name)
    made = [_draw(seed, number, name) for number in range(4)]
    return [
        PictureRow(
            head=head_digest(name), position=i, digest=hub.blobs.put(picture.png), caption=picture.caption, logit=picture.logit
        )
        for i, picture in enumerate(made)
    ]


def _draw(seed: int, number: int, name: str) -> Picture:
    pixels = draw_pictures(number + 1, size=64, seed=seed)[number]
    evidence = np.random.default_rng([seed, number]).normal(3, 4, (16, 16)).astype(np.float32)
    return draw_picture(pixels, evidence, float(evidence.mean()), digest_bytes(pixels.tobytes()), name)


def _bundle(hub: Hub, sequence: int) -> list[BundleRow | PublishedObjectRow]:
    """Bundle 1 holds no head, 2 the first five, 3 leaves two of them out and has a newer one."""
    names = {1: [], 2: list(GENERATORS), 3: ["began-anantzoid", "began-hee9joon", "dcgan-litalien"]}[sequence]
    generators = [make_generator(name) for name in names] + ([make_generator("wgan-litalien", "2")] if sequence == 3 else [])
    edges = {name: (-1.4 + 0.7 * i, 1.1 + 0.9 * i) for i, name in enumerate(GENERATORS)}
    calibration = Calibration.new(
        primary=PRIMARY,
        suite=SUITE,
        detector_alpha=0.01,
        heads_alpha=0.01,
        miss_alpha=0.05,
        detector=Band(low=-3.2, high=0.4, negatives=1250, positives=240, resolved=True),
        heads={
            head_digest(item.name, item.version): Band(
                low=edges[item.name][0], high=edges[item.name][1], negatives=1450 if i else 210, positives=40, resolved=i > 0
            )
            for i, item in enumerate(generators)
        },
    )
    manifest = BundleManifest.new(
        hub=hub.settings.name,
        sequence=sequence,
        created=f"2026-01-02T{6 + 2 * sequence:02d}:20:00Z",
        primary=PRIMARY,
        calibration=hub.blobs.put(calibration.to_bytes()),
        heads=tuple(
            BundleHead(
                generator=item,
                head=head_digest(item.name, item.version),
                owner_key=OWNERS[item.owner].public_key.keyid,
                owner_statement=digest_bytes(f"owner's word on {item.title}".encode()),
                hub_statement=digest_bytes(f"hub's word on {item.title}".encode()),
            )
            for item in generators
        ),
        left_out=_left_out() if sequence == 3 else (),
        owner_keys={key.public_key.keyid: public_pem(key.public_key) for key in OWNERS.values()},
        hub_key=public_pem(HUB_KEY.public_key),
    )
    row = BundleRow(
        sequence=sequence,
        digest=hub.blobs.put(manifest.to_bytes()),
        primary=PRIMARY,
        calibration=manifest.calibration,
        generators=[item.title for item in generators],
        created=manifest.created,
        published=manifest.created,
    )
    return [row]


def _left_out() -> tuple[LeftOut, ...]:
    yanked, replaced = make_generator("began-sunshineatnoon"), make_generator("wgan-litalien")
    return (
        LeftOut(generator=yanked, head=head_digest(yanked.name), state="yanked", reason=YANK_REASON),
        LeftOut(generator=replaced, head=head_digest(replaced.name), state="replaced", reason=REPLACED_REASON),
    )


def _jobs() -> list[JobRow]:
    return [
        JobRow(
            kind="evaluate",
            subject=subject,
            state=state,
            attempts=0,
            run_after=float(i),
            lease_until=None,
            lease_token=None,
            error=None,
            created="2026-01-02T10:00:00Z",
            finished=None,
        )
        for i, (subject, state) in enumerate(
            [("e00000000001", "leased"), ("e00000000002", "queued"), ("e00000000003", "queued")]
        )
    ]
