"""`python -m tests.fuzz.one TARGET [libFuzzer's arguments]`: fuzz one target in this process, guided by coverage.

The readers and the libraries in Python below them are instrumented as they are imported. libFuzzer decides how the process
ends: 0 when its time is over, another code after writing the input that broke a promise.
"""

import sys

import atheris

_INSTRUMENTED = ["manyheads_shared", "manyheads_client", "tests.fuzz.targets", "PIL", "rfc8785", "securesystemslib", "tuf"]

with atheris.instrument_imports(include=_INSTRUMENTED):
    from tests.fuzz.targets import get_target


def main() -> None:
    """Fuzz until libFuzzer ends the process."""
    name, *options = sys.argv[1:]
    target = get_target(name)
    atheris.Setup([sys.argv[0], f"-max_len={target.max_bytes}", *options], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
