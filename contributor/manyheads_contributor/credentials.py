"""Tokens and invitations: from a file or the environment, never from the command line, which others can see."""

import os
from collections.abc import Mapping
from pathlib import Path

from manyheads_shared.errors import UsageError

TOKEN_VARIABLE = "MANYHEADS_TOKEN"  # noqa: S105 - the name of a variable, not a secret
_MAX_SECRET_BYTES = 4096


def read_token(path: Path | None, environment: Mapping[str, str] = os.environ) -> str:
    """Return the token in a file, or else in MANYHEADS_TOKEN.

    Raises:
        UsageError: neither is there, or it cannot be a token.
    """
    return read_secret(path, TOKEN_VARIABLE, "--token-file", "mh_…", environment)


def read_secret(path: Path | None, variable: str, option: str, form: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return what a hub's maintainer gave the owner, from a file or else from a variable.

    Args:
        form: how such a secret begins.

    Raises:
        UsageError: neither is there, or it cannot be one.
    """
    if path is not None:
        try:
            with path.open("rb") as stream:
                text = stream.read(_MAX_SECRET_BYTES).decode("ascii", errors="replace").strip()
        except OSError as error:
            raise UsageError(
                f"{path}: expected a file with what the hub's maintainer gave you ({form}): {error.strerror or error}"
            ) from error
        source = str(path)
    else:
        text, source = environment.get(variable, "").strip(), variable
    if not text:
        raise UsageError(
            f"no token in {source}: expected what the hub's maintainer gave you ({form}), "
            f"in a file named by {option} or in {variable}"
        )
    if not text.isascii() or any(character.isspace() for character in text):
        raise UsageError(f"{source}: expected one token ({form}) and nothing else")
    return text
