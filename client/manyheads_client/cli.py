"""`manyheads`: pull a bundle, attribute and examine images, seal and verify what came of it, keep cases, cross an air gap."""

import typer

from manyheads_client.commands import case, key
from manyheads_client.commands.attribute import attribute
from manyheads_client.commands.diff_report import diff_report
from manyheads_client.commands.examine import examine
from manyheads_client.commands.export import export
from manyheads_client.commands.import_ import import_
from manyheads_client.commands.pull import pull
from manyheads_client.commands.recall import recall
from manyheads_client.commands.replay import replay
from manyheads_client.commands.report import report
from manyheads_client.commands.seal import seal
from manyheads_client.commands.show import show
from manyheads_client.commands.verify import verify
from manyheads_client.commands.verify_report import verify_report
from manyheads_shared import terminal

app = typer.Typer(
    name="manyheads",
    help="Which catalogued generator, if any, made an image? Pull a hub's bundle once, attribute images offline.",
    epilog="Exit codes: 0 done, 1 something does not hold, 2 wrong usage, 3 not to be trusted, 4 the hub, "
    "5 no image could be examined, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (
    pull, attribute, examine, verify, show, export, report, seal, verify_report, diff_report, replay, recall,
):  # fmt: skip
    app.command()(command)
app.command("import")(import_)  # a word that Python keeps to itself
app.add_typer(key.app, name="key")
app.add_typer(case.app, name="case")


def main() -> None:
    """Run the command line."""
    terminal.run(app)
