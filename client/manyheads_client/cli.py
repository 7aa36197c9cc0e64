"""`manyheads`: pull a bundle, attribute and examine images, verify the store, show what is there, carry it over an air gap."""

import typer

from manyheads_client.commands.attribute import attribute
from manyheads_client.commands.examine import examine
from manyheads_client.commands.export import export
from manyheads_client.commands.import_ import import_
from manyheads_client.commands.pull import pull
from manyheads_client.commands.show import show
from manyheads_client.commands.verify import verify
from manyheads_shared import terminal

app = typer.Typer(
    name="manyheads",
    help="Which catalogued generator, if any, made an image? Pull a hub's bundle once, attribute images offline.",
    epilog="Exit codes: 0 done, 2 wrong usage, 3 not to be trusted, 4 the hub, 5 no image could be examined, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (pull, attribute, examine, verify, show, export):
    app.command()(command)
app.command("import")(import_)  # a word that Python keeps to itself


def main() -> None:
    """Run the command line."""
    terminal.run(app)
