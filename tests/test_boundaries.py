"""The boundary: who may import whom, what a process loads, and that no pickle is read or written. Checked, not hoped for."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(
    path
    for folder in ("shared", "client", "contributor", "hub", "deploy", "benchmarks", "tests")
    for path in (ROOT / folder).rglob("*.py")
)
PACKAGES = ("manyheads_shared", "manyheads_client", "manyheads_contributor", "manyheads_hub")
SERVER = ("fastapi", "sqlalchemy", "flwr", "alembic", "uvicorn")

MUST_NOT_LOAD = {
    "manyheads_client": (*SERVER, "torch", "matplotlib"),
    "manyheads_client.cli": (*SERVER, "torch", "matplotlib"),
    "manyheads_client.commands.examine": (*SERVER, "torch", "matplotlib"),
    "manyheads_client.examine.session": SERVER,
    "manyheads_client.update": SERVER,
    "manyheads_client.importing": (*SERVER, "torch", "tuf.ngclient"),
    "manyheads_client.analysis": SERVER,
    "manyheads_shared.estimates": (*SERVER, "torch", "matplotlib"),
    "manyheads_client.case_verification": (*SERVER, "torch", "matplotlib", "tuf.ngclient"),
    "manyheads_client.report_verification": (*SERVER, "torch", "matplotlib", "tuf.ngclient"),
    "manyheads_contributor.cli": (*SERVER, "torch", "matplotlib", "h5py"),
    "manyheads_contributor.train": SERVER,
    "manyheads_contributor.federation.local_training": SERVER,
    "manyheads_hub.federation.coordinator": ("torch", "flwr"),
    "manyheads_shared.federation.verification": (*SERVER, "torch"),
    "manyheads_hub.cli": ("torch", "flwr"),
    "manyheads_hub.app": ("torch", "flwr"),
    "manyheads_shared.bundle": (*SERVER, "torch"),
    "manyheads_shared.decision": (*SERVER, "torch"),
    "manyheads_shared.preprocess": (*SERVER, "torch"),
    "manyheads_shared.terminal": (*SERVER, "torch"),
    "manyheads_shared.scoring": SERVER,
}


def test_the_import_contracts_are_kept() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", MUST_NOT_LOAD)
def test_importing_a_module_loads_no_more_than_it_may(module: str) -> None:
    code = f"import sys; import {module}; print(*sorted(set(sys.modules) & {set(MUST_NOT_LOAD[module])!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.split() == []


def test_client_and_formats_need_no_cloud_library() -> None:
    """securesystemslib loads boto3 where it finds it, for signers we do not use; without it nothing is missing."""
    code = "import sys; sys.modules['boto3'] = None; import manyheads_shared.bundle, manyheads_client.update"

    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def _mentions(tree: ast.AST) -> Iterator[str]:
    """Every module imported, every dotted name used, and numpy's switch."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute):
            yield ast.unparse(node)
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":  # numpy reads none unless asked
            yield f"allow_pickle={ast.unparse(node.value)}"


PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
PICKLING = {"torch.load", "torch.save", "torch.jit.load", "torch.hub.load", "allow_pickle=True"}


def test_no_pickle_is_read_or_written_anywhere() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in SOURCES
        for name in _mentions(ast.parse(path.read_text()))
        if name.split(".")[0] in PICKLES or name in PICKLING
    ]

    assert found == []


def test_no_module_is_a_drawer() -> None:
    drawers = {"utils.py", "util.py", "common.py", "helpers.py", "helper.py", "misc.py"}

    assert [path for path in SOURCES if path.name in drawers] == []


def test_a_source_root_is_no_package() -> None:
    assert [root for root in ("shared", "client", "contributor", "hub") if (ROOT / root / "__init__.py").exists()] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_says_that_it_is_typed_and_what_it_is_for(package: str) -> None:
    (folder,) = ROOT.glob(f"*/{package}")

    assert (folder / "py.typed").exists()
    assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))


def test_tests_use_no_mocks() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in SOURCES
        if path.is_relative_to(ROOT / "tests")
        for name in _mentions(ast.parse(path.read_text()))
        if name.startswith(("unittest.mock", "mock.")) or name.endswith(".MagicMock")
    ]

    assert found == []
