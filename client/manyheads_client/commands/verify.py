"""`manyheads verify`."""

from rich.text import Text

from manyheads_client.commands.options import JsonOption, StoreOption
from manyheads_shared.errors import VerificationError
from manyheads_shared.terminal import print_json, stdout


def verify(*, store: StoreOption = None, json: JsonOption = False) -> None:
    """Verify everything in the store again, without the network: digests, signatures, statements.

    The dates of the update metadata are stated, not judged: a laboratory without a network works with what it last pulled.
    Exit code 0: everything holds; 3: something does not.

    Example: manyheads verify
    """
    from manyheads_client.store import Store, default_store
    from manyheads_client.verification import check_store

    chosen = Store(store or default_store())
    findings = []
    for finding in check_store(chosen):
        findings.append(finding)
        if not json:
            text = Text("holds  " if finding.holds else "fails  ", "green" if finding.holds else "bold red")
            text.append(f"{finding.subject}: {finding.detail}", "")
            stdout.print(text, soft_wrap=True)
    if json:
        print_json([{"subject": f.subject, "holds": f.holds, "detail": f.detail} for f in findings])
    if failed := [finding.subject for finding in findings if not finding.holds]:
        raise VerificationError(f"{chosen.folder}: {len(failed)} of {len(findings)} checks fail: {', '.join(failed)}")
