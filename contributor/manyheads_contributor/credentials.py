"""The token that lets an owner submit: from a file or the environment, never from the command line, which others can see."""

import os
from collections.abc import Mapping
from pathlib import Path

from manyheads_shared.errors import UsageError

TOKEN_VARIABLE = "MANYHEADS_TOKEN"  # noqa: S105 - the name of a variable, not a secret
_MAX_TOKEN_BYTES = 4096


def read_token(path: Path | None, environment: Mapping[str, str] = os.environ) -> str:
    """Return the token in a file, or else in MANYHEADS_TOKEN.

    Raises:
        UsageError: neither is there, or it cannot be a token.
    """
    if path is not None:
        try:
            with path.open("rb") as stream:
                text = stream.read(_MAX_TOKEN_BYTES).decode("ascii", errors="replace").strip()
        except OSError as error:
            raise UsageError(f"{path}: expected a file with the hub's token: {error.strerror or error}") from error
        source = str(path)
    else:
        text, source = environment.get(TOKEN_VARIABLE, "").strip(), TOKEN_VARIABLE
    if not text:
        raise UsageError(
            f"no token in {source}: expected the one the hub's maintainer gave you (mh_…), "
            f"in a file named by --token-file or in {TOKEN_VARIABLE}"
        )
    if not text.isascii() or any(character.isspace() for character in text):
        raise UsageError(f"{source}: expected one token (mh_…) and nothing else")
    return text
