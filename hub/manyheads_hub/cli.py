"""The hub's command line: `manyheads-hub`. Each command lives in its own module under `commands/`."""

import logging

import typer

from manyheads_hub.commands import (
    accounts,
    aliases,
    audit,
    backup,
    enrol,
    federate,
    init,
    keys,
    lifecycle,
    openapi,
    owner_keys,
    publish,
    review,
    serve,
    tokens,
    upgrades,
    webhooks,
)
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
    ("candidate", upgrades.candidate, "candidate ./hub primary-2.safetensors"),
    ("retention", upgrades.retention, "retention ./hub"),
    ("promote", upgrades.promote, "promote ./hub faces@2"),
    ("rollback", upgrades.rollback, 'rollback ./hub --reason "the new detector calls drawings generated"'),
    ("enrol", enrol.enrol, "enrol ./hub ada --key ada.pub --generator dcgan --generator wgan"),
    ("invite", enrol.invite, "invite ./hub ada --generator dcgan"),
    ("review", review.review, "review ./hub 3f9a0c1b2d4e"),
    ("publish-bundle", publish.publish_bundle, "publish-bundle ./hub"),
    ("yank", publish.yank, 'yank ./hub dcgan@1 --reason "claims photographs of cats"'),
    ("backup", backup.backup, "backup ./hub /mnt/backup"),
    ("restore", backup.restore, "restore /mnt/backup ./hub-again"),
    ("quarantine", lifecycle.quarantine, 'quarantine ./hub dcgan@1 --reason "names a real person\'s photographs"'),
    ("release", lifecycle.release, 'release ./hub dcgan@1 --reason "examined, harmless"'),
    ("refuse", lifecycle.refuse, 'refuse ./hub 3f9a0c1b2d4e --reason "not the owner of this generator"'),
    ("recall", lifecycle.recall, "recall ./hub dcgan@1 --json"),
    ("openapi", openapi.openapi, "openapi > openapi.json"),
):
    app.command(_name, epilog=f"Example: manyheads-hub {_example}")(_command)
for _group in (accounts, tokens, owner_keys, keys, aliases, audit, webhooks, federate):
    app.add_typer(_group.app, name=_group.__name__.rpartition(".")[2].replace("_", "-"))


def main() -> None:
    """Run the command line."""
    logging.getLogger("manyheads_hub").addHandler(logging.NullHandler())  # `serve` and `worker` log; the others print
    terminal.run(app)
