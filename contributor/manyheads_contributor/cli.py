"""The command line of the contributor kit, assembled from one module for each command."""

import typer

from manyheads_contributor.commands import (
    answer_challenge,
    audit,
    budget,
    enrol,
    evaluate,
    federate,
    fetch_primary,
    import_keras,
    key,
    migrate,
    package,
    status,
    submit,
    train,
)
from manyheads_shared import terminal

app = typer.Typer(
    name="manyheads-contributor",
    help="Train a head for your generator on images that never leave your machine, and submit it to a hub.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(key.app, name="key")
app.add_typer(federate.app, name="federate")
app.command("enrol")(enrol.enrol)
app.command("audit")(audit.audit)
app.command("train-primary")(train.train_primary)
app.command("train-head")(train.train_head)
app.command("evaluate")(evaluate.evaluate)
app.command("package")(package.package)
app.command("import-keras")(import_keras.import_keras)
app.command("fetch-primary")(fetch_primary.fetch_primary)
app.command("submit")(submit.submit)
app.command("status")(status.status)
app.command("migrate")(migrate.migrate)
app.command("budget")(budget.budget)
app.command("answer-challenge")(answer_challenge.answer_challenge)


def main() -> None:
    """Run the command line."""
    terminal.run(app)
