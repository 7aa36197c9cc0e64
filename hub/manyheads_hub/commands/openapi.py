"""`manyheads-hub openapi`: the API's description, frozen as docs/openapi.json."""

from pathlib import Path

from manyheads_shared import terminal


def openapi() -> None:
    """Print the OpenAPI description of the API as JSON."""
    from manyheads_hub.app import create_app
    from manyheads_hub.settings import Settings

    terminal.print_json(create_app(Settings(Path(), "hub")).openapi())
