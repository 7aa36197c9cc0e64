"""`federate key`, `site`, `join` and `verify`: an owner takes part in the training of a primary, on images that stay here."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads_shared import terminal
from manyheads_shared.errors import UsageError

if TYPE_CHECKING:
    from manyheads_shared.federation.record import Record

app = typer.Typer(help="Train a primary together with other owners; images stay here.", no_args_is_help=True)

Site = Annotated[Path, typer.Argument(help="Your site policy, a TOML file.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


@app.command("key")
def key(
    path: Annotated[
        Path, typer.Argument(help="Where the private key goes; the public key goes to PATH.pub.", show_default=False)
    ],
    *,
    as_json: Json = False,
) -> None:
    """Make the key by which the maintainer's SuperLink knows your node. PATH.pub goes to the maintainer.

    Example: manyheads-contributor federate key node
    """
    from manyheads_contributor.federation.node import make_node_key

    public = make_node_key(path)
    if as_json:
        terminal.print_json({"private": str(path), "public": str(public)})
        return
    terminal.stdout.print(f"private key  {path}  (keep it, and keep it to yourself)")
    terminal.stdout.print(f"public key   {public}  (for the maintainer: flwr supernode register)")


@app.command("site")
def site(
    path: Annotated[Path, typer.Argument(help="The file to write.", show_default=False)],
    *,
    party: Annotated[str, typer.Option(help="Your name in the plan.", show_default=False)],
) -> None:
    """Write a site policy to fill in: what a federated training may do on this machine.

    Example: manyheads-contributor federate site site.toml --party ada
    """
    from manyheads_contributor.federation.site import TEMPLATE
    from manyheads_shared.files import write_atomic

    if path.exists():
        raise UsageError(f"{path} exists; choose another path or move it away")
    write_atomic(path, TEMPLATE.format(party=party).encode())
    terminal.stdout.print(f"{path}  fill it in, then: manyheads-contributor federate join {path}")


@app.command("join")
def join(
    site_path: Site,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check policy, keys and images, and start nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Take part: start a node that trains on your images when the maintainer runs a round. Ctrl-C ends it.

    Only trainings that the maintainer has signed and your policy allows are answered. What leaves this machine are weights,
    statistics of batch norm, a count and a loss; `sent.jsonl` in the work folder lists each.

    Example: manyheads-contributor federate join site.toml
    """
    import os

    from manyheads_contributor.federation.node import install_app, plan_start, start_node
    from manyheads_contributor.federation.site import read_site
    from manyheads_shared.dataset import scan_dataset

    policy = read_site(site_path)
    start = plan_start(site_path, policy)
    items = scan_dataset(Path(policy.data)).select(external=False)
    real = sum(item.kind == "real" for item in items)
    if as_json:
        terminal.print_json(
            {
                "party": policy.party,
                "superlink": policy.superlink,
                "real": real,
                "generated": len(items) - real,
                "dry_run": dry_run,
            }
        )
    else:
        terminal.stdout.print(f"{policy.party}: {real} real and {len(items) - real} generated images, for {policy.superlink}")
    if policy.max_epsilon is None:
        terminal.stderr.print("note: no max_epsilon in the policy: trainings without differential privacy are allowed")
    if os.geteuid() == 0:
        terminal.stderr.print("note: running as root; Flower could install and run other apps here. Use an account of its own")
    if dry_run:
        return
    install_app(policy)
    start_node(start)


@app.command("verify")
def verify(
    record: Annotated[Path, typer.Argument(help="The record, PRIMARY.federation.jsonl.", show_default=False)],
    *,
    primary: Annotated[Path, typer.Option(help="The primary that it is of.", show_default=False)],
    maintainer: Annotated[Path | None, typer.Option(help="The maintainer's public key; without it, whoever signed.")] = None,
    sent: Annotated[Path | None, typer.Option(help="Your node's sent.jsonl: are your updates those in the record?")] = None,
    party: Annotated[str | None, typer.Option(help="Your name in the plan, with --sent.")] = None,
    as_json: Json = False,
) -> None:
    """Verify the record of a federated primary: signatures, chain, rounds against the plan, and that it is of this primary.

    Example: manyheads-contributor federate verify faces.safetensors.federation.jsonl --primary faces.safetensors
    --maintainer maintainer.pub
    """
    from manyheads_contributor.artifacts import read_artifact_file
    from manyheads_contributor.federation.own_updates import verify_own_updates
    from manyheads_shared.artifact import read_primary
    from manyheads_shared.federation.record import read_record, split_lines
    from manyheads_shared.federation.verification import verify_federation
    from manyheads_shared.keys import read_public_half

    if (sent is None) != (party is None):
        raise UsageError("--sent and --party go together")
    if not record.is_file():
        raise UsageError(f"{record}: expected the record of a federated primary; there is none")
    read = read_record(split_lines(record.read_bytes()), read_public_half(maintainer) if maintainer else None)
    verify_federation(read, read_primary(read_artifact_file(primary)))
    own = None if sent is None or party is None else verify_own_updates(read, party, sent)
    print_verified(read, own, known=maintainer is not None, as_json=as_json)


def print_verified(record: "Record", own: int | None, *, known: bool, as_json: bool) -> None:
    """Print what a verified record says."""
    plan, outcome = record.plan, record.outcome
    assert outcome is not None  # verified
    rejected = sum(party.state == "rejected" for entry in record.rounds for party in entry.parties)
    absent = sum(party.state == "absent" for entry in record.rounds for party in entry.parties)
    if as_json:
        terminal.print_json(
            {
                "primary": outcome.primary,
                "name": f"{plan.name}@{plan.version}",
                "key_id": record.key.keyid,
                "key_expected": known,
                "rounds": len(record.rounds),
                "parties": [party.name for party in plan.parties],
                "strategy": plan.strategy,
                "rejected": rejected,
                "absent": absent,
                "epsilon": outcome.epsilon,
                "own_updates": own,
            }
        )
        return
    privacy = "none" if plan.privacy is None else f"epsilon {outcome.epsilon:.3g} at delta {plan.privacy.delta:g}"
    terminal.stdout.print(f"the record of {plan.name}@{plan.version} holds, and is of this primary")
    terminal.stdout.print(f"  {outcome.primary}", soft_wrap=True)
    terminal.stdout.print(
        f"  signed by {record.key.keyid[:12]}, {'as expected' if known else 'whoever that is: give --maintainer'}"
    )
    terminal.stdout.print(
        f"  {len(record.rounds)} rounds of {len(plan.parties)} parties by {plan.strategy}; "
        f"{rejected} updates rejected, {absent} absent"
    )
    terminal.stdout.print(f"  differential privacy: {privacy}")
    if own is not None:
        terminal.stdout.print(f"  your {own} updates are as you sent them")
