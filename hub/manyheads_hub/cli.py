"""The hub's command line: `manyheads-hub`. Each command lives in its own module under `commands/`."""

import logging

import typer

from manyheads_hub.commands import backup, enrol, init, keys, openapi, publish, review, serve
from manyheads_shared import terminal

app = typer.Typer(
    name="manyheads-hub",
    help="Run a hub: publish a primary, take in heads, evaluate them, sign bundles.",
    no_args_is_help=True,
    add_completion=False,
)

for _name, _command, _example in (
    ("init", init.init, "init ./hub --name lab --suite ./suite"),
    ("serve", serve.serve, "serve ./hub --port 8000"),
    ("worker", serve.worker, "worker ./hub --once"),
    ("suite", publish.suite, "suite ./hub ./suite-2"),
    ("publish-primary", publish.publish_primary, "publish-primary ./hub primary.safetensors"),
    ("enrol", enrol.enrol, "enrol ./hub ada --key ada.pub --generator dcgan --generator wgan"),
    ("review", review.review, "review ./hub 3f9a0c1b2d4e"),
    ("publish-bundle", publish.publish_bundle, "publish-bundle ./hub"),
    ("yank", publish.yank, 'yank ./hub dcgan@1 --reason "claims photographs of cats"'),
    ("backup", backup.backup, "backup ./hub /mnt/backup"),
    ("restore", backup.restore, "restore /mnt/backup ./hub-again"),
    ("openapi", openapi.openapi, "openapi > openapi.json"),
):
    app.command(_name, epilog=f"Example: manyheads-hub {_example}")(_command)
app.add_typer(keys.app, name="keys")


def main() -> None:
    """Run the command line."""
    logging.getLogger("manyheads_hub").addHandler(logging.NullHandler())  # `serve` and `worker` log; the others print
    terminal.run(app)
