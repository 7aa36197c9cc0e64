"""The hub's command line: `manyheads-hub`. Each command lives in its own module under `commands/`."""

import typer
from manyheads_shared import terminal

app = typer.Typer(
    name="manyheads-hub",
    help="Run a hub: publish a primary, take in heads, evaluate them, sign bundles.",
    no_args_is_help=True,
    add_completion=False,
)


def main() -> None:
    """Run the command line."""
    terminal.run(app)
