import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from manyheads_contributor.cli import app
from manyheads_shared.artifact import read_head, read_primary
from manyheads_shared.errors import UsageError
from manyheads_shared.keys import generate_key, write_private_key
from manyheads_shared.manifest import Generator
from manyheads_shared.statements import verify_owner_statement
from tests.support.keras_files import make_keras_layers, write_keras_file, write_statistics

HEAD = ("--generator", "progan", "--version", "1", "--owner", "ada", "--level", "instance")


def _run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, ["import-keras", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_file_with_a_head_becomes_a_primary_and_a_signed_head(tmp_path: Path) -> None:
    file = write_keras_file(tmp_path / "attribution.h5", make_keras_layers("dct", 32, prefixes=["a"]))
    write_statistics(tmp_path / "statistics", 32)
    key, out = tmp_path / "ada.pem", tmp_path / "progan.safetensors"
    signer = generate_key()
    write_private_key(key, signer)

    made = tmp_path / "primary.safetensors"
    _run(file, "--out", made, "--name", "ganfp", "--version", "1", "--statistics", tmp_path / "statistics")
    answer = json.loads(_run(file, "--out", out, *HEAD, "--primary", made, "--key", key, "--json"))

    head = read_head(out.read_bytes(), read_primary(made.read_bytes()))
    assert (answer["path"], answer["digest"], answer["size_bytes"]) == (str(out), head.digest, out.stat().st_size)
    statement = verify_owner_statement(Path(answer["statement"]).read_bytes(), head.digest, signer.public_key)
    assert statement.predicate.generator == Generator(name="progan", version="1", owner="ada", level="instance")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    file = write_keras_file(tmp_path / "primary.h5", make_keras_layers("pixel", 128))
    (tmp_path / "p").write_bytes(b"published")
    with pytest.raises(UsageError, match="never overwritten"):
        _run(file, "--out", tmp_path / "p", "--name", "ganfp", "--version", "1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--version", "1"], "a primary needs --name"),
        (["--version", "1", "--name", "p", "--owner", "ada"], "a head needs --generator"),
        ([*HEAD, "--primary", "p"], "a head needs --primary, --owner, --level and --key"),
        ([*HEAD, "--primary", "p", "--key", "k", "--image-size", "64"], "no option of a primary"),
        (
            ["--generator", "Pro GAN", "--version", "1", "--owner", "a", "--level", "instance", "--primary", "p", "--key", "k"],
            "name: ",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused(tmp_path: Path, options: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        _run(tmp_path / "any.h5", "--out", tmp_path / "out", *options)
