"""`manyheads-hub federate plan`, `prepare`, `status` and `package`: a primary trained over several owners' images.

The rounds themselves are run by Flower: `prepare` prints the command.
"""

from pathlib import Path
from typing import Annotated

import typer

from manyheads_hub.commands.arguments import AsJson, DryRun
from manyheads_shared import terminal
from manyheads_shared.errors import UsageError

app = typer.Typer(
    help="Train a primary together with the owners of generators; their images stay with them.", no_args_is_help=True
)

Training = Annotated[Path, typer.Argument(metavar="FOLDER", help="The training's folder.", show_default=False)]
Key = Annotated[Path, typer.Option(help="Your private key, as `manyheads-contributor key new` makes one.", show_default=False)]


@app.command("plan", epilog="Example: manyheads-hub federate plan plan.toml")
def plan(path: Annotated[Path, typer.Argument(help="The file to write.", show_default=False)]) -> None:
    """Write a plan to fill in: who takes part, and every number of the training."""
    from manyheads_hub.federation.plan_file import plan_template
    from manyheads_shared.files import write_atomic

    if path.exists():
        raise UsageError(f"{path} exists; choose another path or move it away")
    write_atomic(path, plan_template().encode())
    terminal.stdout.print(f"{path}  fill it in, then: manyheads-hub federate prepare FOLDER {path} --key KEY")


@app.command("prepare", epilog="Example: manyheads-hub federate prepare ./training plan.toml --key maintainer.pem")
def prepare(
    folder: Training,
    plan_path: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, a TOML file.", show_default=False)],
    *,
    key: Key,
    initial: Annotated[Path | None, typer.Option(help="A primary to start from; without it, fresh weights.")] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Sign a plan and make the folder of its training; print the command that runs the rounds."""
    from manyheads_hub.federation.folder import FederationFolder
    from manyheads_hub.federation.plan_file import build_plan, preprocessing_of, read_plan
    from manyheads_hub.federation.primary import initial_tensors, tensors_of
    from manyheads_shared.federation.messages import FOLDER, KEY
    from manyheads_shared.federation.record import read_opening, write_opening
    from manyheads_shared.federation.verification import plan_epsilon
    from manyheads_shared.keys import read_private_key
    from manyheads_shared.passphrase import read_passphrase

    values, signer = read_plan(plan_path), read_private_key(key, read_passphrase())
    preprocessing = preprocessing_of(values)
    start = initial_tensors(values["architecture"], preprocessing, values["seed"])
    if initial is not None:
        start = tensors_of(initial, values["architecture"], preprocessing)
    made = build_plan(values, preprocessing, start)
    opening = write_opening(made, signer)
    training, epsilon = FederationFolder(folder), plan_epsilon(made)
    if not dry_run:
        training.create(opening, start)
    config = f'{FOLDER}="{folder.resolve()}" {KEY}="{key.resolve()}"'
    command = f"flwr run {training.app.resolve()} NAME --stream --run-config '{config}'"
    if as_json:
        digest = read_opening(opening, signer.public_key).digest
        terminal.print_json(
            {"dry_run": dry_run, "training": digest, "plan": made.digest, "epsilon": epsilon, "command": command}
        )
        return
    terminal.stdout.print(
        f"{'would make' if dry_run else 'made'} {folder}: {made.rounds} rounds of {len(made.parties)} parties"
    )
    terminal.stdout.print(f"plan     {made.digest}, signed by {signer.public_key.keyid[:12]}", soft_wrap=True)
    if epsilon is None:
        terminal.stdout.print("privacy  none: updates leave the parties as they are, and weights may show single images")
    else:
        assert made.privacy is not None  # it has an epsilon
        terminal.stdout.print(
            f"privacy  epsilon {epsilon:.3g} at delta {made.privacy.delta:g}, for whole parties, against who sees weights"
        )
    terminal.stdout.print("run it   NAME being the SuperLink in your Flower configuration:")
    terminal.stdout.print(f"  {command}", soft_wrap=True)


@app.command("status", epilog="Example: manyheads-hub federate status ./training")
def status(folder: Training, *, as_json: AsJson = False) -> None:
    """Show how far a training is, and what became of every party's updates."""
    from manyheads_hub.federation.coordinator import describe
    from manyheads_hub.federation.folder import FederationFolder

    record = FederationFolder(folder).read()
    if as_json:
        terminal.print_json(
            {
                "name": f"{record.plan.name}@{record.plan.version}",
                "rounds": len(record.rounds),
                "planned": record.plan.rounds,
                "measured": record.measurement is not None,
                "primary": record.outcome.primary if record.outcome else None,
                "parties": {
                    party.name: [entry.parties[i].state for entry in record.rounds]
                    for i, party in enumerate(record.plan.parties)
                },
            }
        )
        return
    terminal.stdout.print(f"{record.plan.name}@{record.plan.version}: {len(record.rounds)} of {record.plan.rounds} rounds")
    for entry in record.rounds:
        terminal.stdout.print(describe(entry), soft_wrap=True)
    if record.outcome:
        terminal.stdout.print(f"packaged as {record.outcome.primary}", soft_wrap=True)


@app.command(
    "package", epilog="Example: manyheads-hub federate package ./training --out faces.safetensors --key maintainer.pem"
)
def package(
    folder: Training,
    *,
    out: Annotated[Path, typer.Option(help="The artifact to write; its record goes beside it.", show_default=False)],
    key: Key,
    public: Annotated[
        Path | None, typer.Option(help="Under differential privacy: images of your own for the statistics of batch norm.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make the primary artifact of a finished training, for `publish-primary`, and end its record."""
    from manyheads_hub.federation.folder import FederationFolder
    from manyheads_hub.federation.primary import package_federation, record_path
    from manyheads_shared.keys import read_private_key
    from manyheads_shared.passphrase import read_passphrase

    signer = read_private_key(key, read_passphrase())
    artifact, outcome = package_federation(FederationFolder(folder), out, signer, public=public)
    if as_json:
        terminal.print_json(
            {"path": str(out), "digest": artifact.digest, "record": str(record_path(out)), "epsilon": outcome.epsilon}
        )
        return
    terminal.stdout.print(f"{out}  {artifact.digest}", soft_wrap=True)
    terminal.stdout.print(f"{record_path(out)}  the record; publish it with the primary")
