"""What a laboratory makes: instrument, record, maps; seal and custody log."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from manyheads_client.custody import CustodyEntry
from manyheads_client.saliency.arrays import write_saliency
from manyheads_shared.digest import digest_bytes
from manyheads_shared.evidence import Examined
from manyheads_shared.keys import public_pem
from manyheads_shared.seal import CustodyHead, Seal, sign_seal
from tests.golden.writers.parts import signer, write_once
from tests.support.evidence import make_instrument, make_record
from tests.support.makers import NO_DIGEST, TIME


def write_evidence(root: Path) -> None:
    """Write an instrument, a record made with it, and that record's maps."""
    write_once(
        {
            root / "v1" / "instrument.json": make_instrument().to_bytes(),
            root / "v2" / "evidence.json": make_record().to_bytes(),
        }
    )
    maps = np.linspace(-1, 1, 2 * 4 * 4, dtype=np.float32).reshape(2, 4, 4)
    with TemporaryDirectory() as scratch:
        path = Path(scratch, "saliency.safetensors")
        write_saliency(path, Examined(make_record(), make_instrument()), maps)
        write_once({root / "v1" / path.name: path.read_bytes()})


def write_case(root: Path) -> None:
    """Write the seal of a scan and the line of a custody log that tells of it."""
    seal = Seal.new(
        records=digest_bytes(b"records"),
        size_bytes=4424,
        examined=3,
        failed=1,
        instruments=(make_instrument().digest,),
        laboratory="Golden Laboratory",
        examiner="A. Lovelace",
        case="2026-117",
        custody=CustodyHead(sequence=3, digest=NO_DIGEST),
        public_key=public_pem(signer(4).public_key),
        created=TIME,
    )
    sealed = sign_seal(seal, signer(4))
    line = CustodyEntry.new(
        sequence=4,
        time=TIME,
        who="A. Lovelace",
        action="scan.sealed",
        subject="scans/0001.jsonl",
        details={"records": seal.records, "seal": digest_bytes(sealed), "examined": 3, "failed": 1},
        previous=NO_DIGEST,
    )
    write_once({root / "v1" / "scan.seal.json": sealed, root / "v1" / "custody.json": line.to_bytes()})
