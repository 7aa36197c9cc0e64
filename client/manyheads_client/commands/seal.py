"""`manyheads seal`."""

from pathlib import Path
from typing import Annotated

import typer

from manyheads_client.commands.options import CaseOption, ExaminerOption, JsonOption, LaboratoryKeyOption, LaboratoryOption
from manyheads_shared.digest import short
from manyheads_shared.passphrase import read_passphrase
from manyheads_shared.terminal import print_json, stdout


def seal(
    records: Annotated[Path, typer.Argument(help="A record file, as `attribute --jsonl` writes it.", show_default=False)],
    *,
    key: LaboratoryKeyOption,
    case: CaseOption = None,
    examiner: ExaminerOption = None,
    laboratory: LaboratoryOption = None,
    json: JsonOption = False,
) -> None:
    """Sign a finished record file with the laboratory's key: RECORDS.seal.json beside it. A seal that is there is replaced.

    From then on nothing in the file can change unseen by whoever has the laboratory's public key (`verify-report`). A seal says
    who made the file; when, only as far as the laboratory's clock is believed.

    Example: manyheads seal scan.jsonl --key lab.key --case 2026-117 --examiner "A. Lovelace"
    """
    from manyheads_client.sealing import Signatory, seal_path, seal_records
    from manyheads_shared.keys import read_private_key

    signed = seal_records(records, Signatory(read_private_key(key, read_passphrase()), laboratory, examiner, case))
    if json:
        print_json({"file": str(seal_path(records)), "key_id": signed.key_id, "seal": signed.seal.model_dump(mode="json")})
        return
    found = signed.seal
    stdout.print(
        f"{seal_path(records)}: {found.examined} images examined and {found.failed} failed, {short(found.records)}, "
        f"signed by key {signed.key_id[:12]}",
        soft_wrap=True,
    )
