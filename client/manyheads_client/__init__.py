"""The forensic client: pull a signed bundle, attribute images offline.

    >>> from manyheads_client import Attribution, Bundle, attribute
    >>> bundle = Bundle.open()
    >>> for result in attribute(["a.png", "b.jpg"], bundle):
    ...     if isinstance(result, Attribution):
    ...         print(result.name, result.state, result.generators)

The names below are loaded when they are first used: the command line must print its help before numpy is there.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from manyheads_client.analysis import Attribution, Failure, attribute
    from manyheads_client.bundle import Bundle

__all__ = ["Attribution", "Bundle", "Failure", "attribute"]

_HOMES = {"Attribution": "analysis", "Bundle": "bundle", "Failure": "analysis", "attribute": "analysis"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
