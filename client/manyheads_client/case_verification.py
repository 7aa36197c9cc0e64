"""Verifying a case folder: nothing in it is trusted because it lies there.

The plan: (1) the custody log: every line follows the one before, from the line that opened the case; (2) the key: the case's is
the one given; (3) the evidence: every file that was added is there with its digest, and no other; (4) the seals: each is the
one that the log tells of, by the case's key, over its records, and the log still has the line that it signed; (5) the scans:
every record holds as `report_verification` says, with the evidence as its images, and is of this evidence.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from securesystemslib.signer import SSlibKey

from manyheads_client.case import Case, CaseScan
from manyheads_client.custody import FILE, NAME, read_custody, read_entries
from manyheads_client.inputs import IN_ARCHIVE
from manyheads_client.originals import Originals
from manyheads_client.provenance import Shelf
from manyheads_client.records import check_lines
from manyheads_client.report_verification import ALWAYS_OPEN, Means, OnLine, verify_report
from manyheads_client.sealing import SEAL_SUFFIX, read_seal, seal_path
from manyheads_client.steps import Step, Verification, build_steps
from manyheads_shared.chain import verify_links
from manyheads_shared.digest import digest_file
from manyheads_shared.errors import ChainError, FormatError, SignatureError, UsageError, VerificationError
from manyheads_shared.evidence import Examined
from manyheads_shared.seal import SignedSeal

TITLES = (f"the {NAME}", "the key", "the evidence", "the seals", "the scans")


def verify_case(
    folder: Path, key: SSlibKey | None = None, shelf: Shelf | None = None, *, on_line: OnLine = lambda: None
) -> Verification:
    """Verify a case by the plan above.

    Args:
        key: of the laboratory; None: the one that the case names, whosever it is.
        shelf: where the bundles may lie; None: what takes a bundle is not checked.

    Raises:
        UsageError: the folder holds no case.
    """
    steps = build_steps(TITLES)
    # step 1
    case = _read_chain(folder, steps[0])
    if case is None:
        return Verification(steps, ("Everything that follows from the log.",), None)
    # step 2
    signer = _verify_key(case, key, steps[1])
    if signer is None:
        return Verification(steps, ("Everything that the key signs.",), None)
    # step 3
    _verify_evidence(case, steps[2])
    # step 4
    seals = [(scan, _verify_seal(case, scan, signer, steps[3])) for scan in case.scans if scan.sealed]
    _verify_anchors(case, signer, steps[0], steps[3])
    # step 5
    means = Means(signer, shelf, originals=Originals(folder))
    opened = list(_verify_scans(case, [scan for scan, _ in seals], means, steps[4], on_line))
    return Verification(steps, (*_not_checked(case, key, shelf, opened, seals), *ALWAYS_OPEN), signer.keyid)


def _read_chain(folder: Path, step: Step) -> Case | None:
    try:
        entries = read_custody(folder / FILE)
    except ChainError as error:
        step.checked = 1
        step.fail(str(error))
        try:  # what the lines say one by one may still be of use
            entries = list(read_entries((folder / FILE).read_bytes()))
        except ChainError:
            return None
    step.checked = len(entries)
    if not entries or entries[0].action != "case.opened":
        step.fail(f"{NAME}: expected a first line that opens a case, got none")
        return None
    newest = entries[-1]
    step.detail = f"{len(entries)} lines; the newest is {newest.sequence}:{newest.digest}"
    if any(entry.action == "case.opened" for entry in entries[1:]):
        step.fail(f"{NAME}: a case is opened once, this one is more often")
    return Case(folder, entries)


def _verify_key(case: Case, key: SSlibKey | None, step: Step) -> SSlibKey | None:
    step.checked = int(key is not None)
    try:
        named = case.key
    except SignatureError as error:
        step.fail(str(error))
        return None
    step.detail = f"{named.keyid[:12]}, of laboratory {case.laboratory}"
    if named.keyid != case.opened.details["key_id"]:
        step.fail("the case names a key and the id of another")
    if key is not None and key.keyid != named.keyid:
        step.fail(f"expected the key given ({key.keyid[:12]}), the case names {named.keyid[:12]}")
    return named


def _verify_evidence(case: Case, step: Step) -> None:
    added = {evidence.file: evidence for evidence in case.evidence}
    for evidence in added.values():
        step.checked += 1
        path = case.place(evidence)
        if not path.is_file():
            step.fail(f"it is not there; it came as {evidence.name}", name=evidence.file)
        elif path.stat().st_size != evidence.size_bytes or digest_file(path) != evidence.digest:
            step.fail(f"it has another content than when it was added, as {evidence.name}", name=evidence.file)
    for path in sorted((case.folder / "evidence").glob("*")):
        if f"evidence/{path.name}" not in added:
            step.fail("no line of the log added this file", name=f"evidence/{path.name}")
    step.detail = f"{len(added)} files"


def _verify_seal(case: Case, scan: CaseScan, signer: SSlibKey, step: Step) -> SignedSeal | None:
    assert scan.sealed is not None  # chosen so
    step.checked += 1
    step.detail = f"{step.checked} seals"
    records, told = case.folder / scan.file, scan.sealed.details
    try:
        signed = read_seal(records, signer)
    except (FormatError, VerificationError, UsageError) as error:
        step.fail(str(error), name=scan.file)
        return None
    if signed.digest != told["seal"] or signed.seal.records != told["records"]:
        step.fail("it is not the seal that the log tells of", name=scan.file)
    if signed.seal.case != case.id:
        step.fail(f"it seals records of case {signed.seal.case}, this is case {case.id}", name=scan.file)
    if signed.seal.custody is None:
        step.fail("it signs no line of the log", name=scan.file)
    return signed


def _verify_anchors(case: Case, signer: SSlibKey, of_log: Step, of_seals: Step) -> None:
    """Hold the log against the lines that seals have signed: all that lie here, for a log cut short tells of fewer."""
    anchors, told = [], {scan.file for scan in case.scans}
    for path in sorted((case.folder / "scans").glob(f"*{SEAL_SUFFIX}")):
        records = path.with_name(path.name.removesuffix(SEAL_SUFFIX))
        if f"scans/{records.name}" not in told:
            of_seals.fail("no line of the log started this scan", name=f"scans/{records.name}")
        with suppress(FormatError, VerificationError):  # said where the log tells of it
            signed = read_seal(records, signer)
            anchors += [signed.seal.custody.head] if signed.seal.custody else []
    if of_log.problem_count:
        return
    try:
        verify_links(case.entries, log=NAME, anchors=anchors)
    except ChainError as error:
        of_log.fail(f"{error}; a seal has signed it")


def _verify_scans(case: Case, scans: list[CaseScan], means: Means, step: Step, on_line: OnLine) -> Iterator[str]:
    """Verify the records of every sealed scan; yields what of them was not checked."""
    digests, files = {evidence.digest for evidence in case.evidence}, {evidence.file for evidence in case.evidence}
    for scan in scans:
        records = case.folder / scan.file
        if not records.is_file():
            step.fail("the records are not there", name=scan.file)
            continue
        step.checked += 1
        step.detail = f"{step.checked} scans"
        found = verify_report(records, means, on_line)
        for each in found.steps:
            for problem in each.problems:
                step.fail(
                    f"{problem.words}" if problem.name is None else f"{problem.name}: {problem.words}", problem.line, scan.file
                )
            step.problem_count += each.problem_count - len(each.problems)
        yield from found.not_checked
        for number, line in check_lines(records):
            if not isinstance(line, Examined):
                continue
            archive, mark, _ = line.name.partition(IN_ARCHIVE)
            if (archive not in files) if mark else (line.record.item.sha256 not in digests):
                step.fail(f"{line.name}: no evidence of this case", number, scan.file)


def _not_checked(
    case: Case, key: SSlibKey | None, shelf: Shelf | None, opened: list[str], seals: list[tuple[CaseScan, SignedSeal | None]]
) -> Iterator[str]:
    if key is None:
        yield "Whose key the case is sealed by: no key was given (--key), everything was held against the one it names."
    if shelf is None and seals:
        yield "Whether the bundles are their hub's, and the ratios, intervals and figures they give: no --store, no --pack."
    yield from dict.fromkeys(words for words in opened if words.endswith("not found.") or "version 1" in words)
    signed = max((each.seal.custody.sequence for _, each in seals if each and each.seal.custody), default=0)
    if signed < len(case.entries):
        yield f"Lines {signed + 1} to {len(case.entries)} of the log: no seal has signed them yet."
    for scan in case.scans:
        if scan.sealed is None:
            where = "" if not seal_path(case.folder / scan.file).exists() else "; a seal lies there, and no line tells of it"
            yield f"{scan.file}: it was started and not finished{where}."
