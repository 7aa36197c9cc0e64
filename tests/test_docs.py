"""What is written agrees with what is there: commands, errors, words, links, examples."""

import ast
import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer
from securesystemslib.dsse import Envelope

from manyheads_client.custody import CustodyEntry
from manyheads_client.pack import PackIndex
from manyheads_client.saliency.arrays import SaliencyManifest
from manyheads_client.saliency.scale import OverlayScale
from manyheads_hub.audit.chain import AuditEntry
from manyheads_hub.webhooks.outbox import EVENTS, TEST_EVENT, Event
from manyheads_shared import errors as shared_errors
from manyheads_shared import terminal
from manyheads_shared.api import Message
from manyheads_shared.bundle import BundleManifest, CarryingManifest
from manyheads_shared.calibration import BoundedCalibration, Calibration, FullCalibration
from manyheads_shared.canonical import to_canonical
from manyheads_shared.degradations import PROFILES
from manyheads_shared.digest import Digest
from manyheads_shared.document import Document
from manyheads_shared.errors import ManyheadsError
from manyheads_shared.evidence import CarryingInstrument, EvidenceRecord, FailureRecord, Instrument
from manyheads_shared.evidence_v1 import EvidenceRecordV1
from manyheads_shared.federation.plan import Plan, TrustingPlan
from manyheads_shared.federation.record import Measurement, Opening, Outcome, Round
from manyheads_shared.key_proof import KeyProof
from manyheads_shared.keys import generate_key, parse_public_key
from manyheads_shared.manifest import HeadManifest, PrimaryManifest
from manyheads_shared.recall import Recall
from manyheads_shared.retention import RetentionReport
from manyheads_shared.seal import Seal
from manyheads_shared.statements import (
    ANSWER_PREDICATE,
    HUB_PREDICATE,
    OWNER_PREDICATE,
    PAYLOAD_TYPE,
    verify_answer,
    verify_hub_statement,
    verify_owner_statement,
)

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/**/*.md"), *ROOT.glob("deploy/**/*.md")])
FORMATS = sorted(ROOT.glob("docs/formats/*.md"))
READERS: dict[str, type[Document]] = {
    reader.FORMAT: reader
    for reader in (
        PrimaryManifest,
        HeadManifest,
        Calibration,
        FullCalibration,
        BoundedCalibration,
        BundleManifest,
        CarryingManifest,
        CarryingInstrument,
        RetentionReport,
        PackIndex,
        Seal,
        CustodyEntry,
        Plan,
        TrustingPlan,
        Opening,
        Round,
        Measurement,
        Outcome,
        EvidenceRecord,
        EvidenceRecordV1,
        FailureRecord,
        Instrument,
        AuditEntry,
        Event,
        KeyProof,
        Recall,
        SaliencyManifest,
        OverlayScale,
    )
}
PROGRAMS = {
    "manyheads": "manyheads_client.cli",
    "manyheads-contributor": "manyheads_contributor.cli",
    "manyheads-hub": "manyheads_hub.cli",
}


def _commands() -> Iterator[tuple[str, click.Command]]:
    """Every command of the three programs, as a user types it."""
    for program, module in PROGRAMS.items():
        group = typer.main.get_command(importlib.import_module(module).app)
        yield from _below(program, group)


def _below(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for child in command.commands:
            yield from _below(f"{name} {child}", command.commands[child])
    else:
        yield name, command


COMMANDS = dict(_commands())
COMMAND_PAGE = (ROOT / "docs" / "commands.md").read_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_help_with_an_example_of_itself(name: str) -> None:
    command = COMMANDS[name]
    text = " ".join(f"{command.help or ''} {command.epilog or ''}".split())

    assert len((command.help or "").split()) > 4
    assert f"Example: {name}" in text or f"Examples: {name}" in text


def test_the_page_of_commands_lists_exactly_what_is_there() -> None:
    listed = []
    for section in COMMAND_PAGE.split("## `")[1:]:
        program = section.partition("`")[0]
        rows = re.findall(r"^\| `([a-z -]+)", section.partition("## Exit")[0], re.MULTILINE)
        listed += [f"{program} {row.strip()}" for row in rows]

    assert sorted(listed) == sorted(COMMANDS)


RARELY = (  # the page of commands and `--help` lead to them
    "manyheads case",
    "manyheads key show",
    "manyheads-contributor key rotate",
    "manyheads-hub accounts",
    "manyheads-hub aliases",
    "manyheads-hub backup",
    "manyheads-hub keys",
    "manyheads-hub restore",
    "manyheads-hub audit",
    "manyheads-hub owner-keys",
    "manyheads-hub refuse",
    "manyheads-hub release",
    "manyheads-hub tokens",
    "manyheads-hub webhooks",
)


def test_a_reader_of_the_readme_meets_the_main_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    rarely = {"manyheads-contributor key show", "manyheads-hub openapi", "manyheads-hub worker", "manyheads-hub publish-bundle"}
    rarely |= {name for name in COMMANDS if name.startswith(RARELY)}
    rarely |= {"manyheads-hub suite", "manyheads-hub yank"}

    assert [name for name in COMMANDS if name not in readme and name not in rarely] == []


def test_every_environment_variable_is_documented() -> None:
    sources = "".join(path.read_text() for path in ROOT.glob("*/manyheads_*/**/*.py"))

    assert set(re.findall(r"\bMANYHEADS_[A-Z_]+", sources)) == set(re.findall(r"`(MANYHEADS_[A-Z_]+)`", COMMAND_PAGE))


def test_the_exit_codes_documented_are_those_of_the_terminal() -> None:
    documented = re.findall(r"^\| (\d+) \| ", COMMAND_PAGE, re.MULTILINE)

    assert documented == re.findall(r"(?:codes: |· )(\d+) ", " ".join((terminal.__doc__ or "").split()))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_is_for(name: str) -> None:
    silent = [option.name for option in COMMANDS[name].params if isinstance(option, click.Option) and not option.help]

    assert silent == []


def test_the_page_of_degradations_lists_every_profile_with_its_chances() -> None:
    page = (ROOT / "docs" / "degradations.md").read_text().partition("## The paper")[0]
    listed = dict(re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", page, re.MULTILINE))

    assert list(listed) == list(PROFILES)
    for name, profile in PROFILES.items():
        for step in profile.steps:
            operation = getattr(step.operation, "__name__", "").removesuffix("_as_run").replace("_", " ")
            of_all = listed[name].endswith((f"; {step.probability}", f"; each {step.probability}"))
            assert (operation if of_all else f"{operation} {step.probability}") in listed[name]


def _errors() -> Iterator[tuple[str, type[ManyheadsError]]]:
    """Every error class of ours, with the module that defines it."""
    for package in ("manyheads_shared", "manyheads_client", "manyheads_contributor", "manyheads_hub"):
        folder = importlib.import_module(package)
        for found in pkgutil.walk_packages(folder.__path__, package + "."):
            if "migrations" in found.name:
                continue
            module = importlib.import_module(found.name)
            for _, value in inspect.getmembers(module, inspect.isclass):
                if issubclass(value, ManyheadsError) and value.__module__ == found.name:
                    yield f"{found.name}.{value.__name__}", value


ERRORS = dict(_errors())


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_says_when_it_is_raised_and_leaves_with_a_documented_code(name: str) -> None:
    assert ERRORS[name].__doc__
    assert 1 <= ERRORS[name].exit_code <= 5
    assert name.endswith("Error")


@pytest.mark.parametrize("module", ["manyheads_shared.errors", "manyheads_client.errors", "manyheads_hub.errors"])
def test_a_drawn_tree_names_every_class_of_its_module(module: str) -> None:
    drawn = set(re.findall(r"\b(\w+Error)\b", importlib.import_module(module).__doc__ or ""))
    defined = {value.__name__ for name, value in ERRORS.items() if name.startswith(module + ".")}

    assert defined - drawn == set()


def test_every_error_a_format_page_names_is_there() -> None:
    named = {name for page in FORMATS for name in re.findall(r"`(\w+Error)`", page.read_text())}

    assert named - {name for name in vars(shared_errors) if name.endswith("Error")} == set()


def _actions() -> set[str]:
    """Every action that some call of `record` writes into the audit log, and every event."""
    calls = [
        node
        for path in ROOT.glob("hub/manyheads_hub/**/*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("record", "enrol_key", "note")
    ]
    texts = {value for call in calls for part in ast.walk(call) if isinstance(value := getattr(part, "value", None), str)}
    return {text for text in texts if re.fullmatch(r"[a-z]+\.[a-z]+", text)} | set(EVENTS)


def test_every_action_of_the_audit_log_is_documented_and_no_other() -> None:
    page = (ROOT / "docs" / "formats" / "audit.md").read_text().partition("| action | when |")[2]
    by_state = {"submission.failed", TEST_EVENT}  # names put together elsewhere

    assert set(re.findall(r"`([a-z]+\.[a-z]+)`", page)) - {"details.proven"} == _actions() | by_state


def _examples() -> Iterator[tuple[str, str | None, str]]:
    """Every JSON example of the format pages: where, the class named in a comment above it, the text."""
    for page in FORMATS:
        for found in re.finditer(r"(?:<!-- ([\w.]+) -->\n)?```json\n(.*?)```", page.read_text(), re.DOTALL):
            line = page.read_text()[: found.start()].count("\n") + 1
            yield f"{page.name}:{line}", found[1], found[2]


EXAMPLES = {where: (shape, text) for where, shape, text in _examples()}


def _read_statement(statement: dict[str, object], head: Digest) -> object:
    """Sign an example as it stands and read it as a client would."""
    signer = generate_key()
    envelope = Envelope(to_canonical(statement), PAYLOAD_TYPE, {})
    envelope.sign(signer)
    verify = {OWNER_PREDICATE: verify_owner_statement, HUB_PREDICATE: verify_hub_statement, ANSWER_PREDICATE: verify_answer}[
        str(statement["predicateType"])
    ]
    return verify(to_canonical(envelope.to_dict()), head, signer.public_key)


@pytest.mark.parametrize("where", EXAMPLES)
def test_an_example_is_read_by_the_real_reader(where: str) -> None:
    shape, text = EXAMPLES[where]
    value = json.loads(text)

    if shape:
        module, _, name = shape.rpartition(".")
        model: type[Message] = getattr(importlib.import_module(module), name)
        assert model.model_validate_json(text).model_dump(mode="json") == value
    elif "predicateType" in value:
        assert _read_statement(value, Digest("sha256:" + value["subject"][0]["digest"]["sha256"]))
    else:
        assert READERS[value["format"]].from_bytes(to_canonical(value)).to_bytes() == to_canonical(value)


def test_every_document_has_an_example() -> None:
    shown = {json.loads(text).get("format") for shape, text in EXAMPLES.values() if not shape}

    assert set(READERS) <= shown


def test_keys_in_examples_have_the_ids_they_stand_under() -> None:
    (text,) = (text for _, text in EXAMPLES.values() if '"manyheads.bundle/1"' in text)
    keys = json.loads(text)["owner_keys"]

    assert [parse_public_key(pem).keyid for pem in keys.values()] == list(keys)


@pytest.mark.parametrize("reader", READERS.values(), ids=lambda reader: reader.__name__)
def test_a_format_page_names_every_field(reader: type[Document]) -> None:
    page = "\n".join(page.read_text() for page in FORMATS if reader.FORMAT in page.read_text())
    fields = set(reader.model_fields)

    assert {field for field in fields if f"`{field}`" not in page} == set()


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if link.startswith(("http://", "https://")):
            continue
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)

    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_named_in_prose_are_there(page: Path) -> None:
    named = re.findall(r"`((?:shared|client|contributor|hub|deploy|tests|benchmarks|docs)/[\w./-]+)`", page.read_text())

    assert [name for name in named if not (ROOT / name).exists() and "vN" not in name] == []


GLOSSARY = [
    line.strip("| ").split(" | ") for line in (ROOT / "GLOSSARY.md").read_text().splitlines() if line.startswith("| **")
]


@pytest.mark.parametrize("row", GLOSSARY, ids=lambda row: row[0])
def test_a_glossary_word_points_at_code_that_uses_it(row: list[str]) -> None:
    _, sentence, where = row
    name, path = re.fullmatch(r"(?:`([\w.]+)` in )?`([\w/.]+)`|not built yet", where).groups()  # type: ignore[union-attr]

    assert sentence.rstrip().endswith((".", "]"))
    if path:
        assert all(re.search(rf"\b{part}\b", (ROOT / path).read_text()) for part in (name or "").split(".") if part)


DESIGN_WORDS = (
    "generator primary trunk detector head features logit representation degradation profile contributor submission "
    "evaluation suite gate catalogue bundle verdict evidence report round digest"
)


def test_the_words_of_the_design_are_in_the_glossary() -> None:
    words = " ".join(row[0] + row[1] for row in GLOSSARY)

    assert [word for word in DESIGN_WORDS.split() if f"**{word}" not in words] == []


def test_decisions_are_numbered_and_indexed() -> None:
    folder = ROOT / "docs" / "decisions"
    pages = sorted(path.name for path in folder.glob("[0-9]*.md"))
    index = (folder / "README.md").read_text()

    assert [page[:4] for page in pages] == [f"{number:04}" for number in range(1, len(pages) + 1)]
    assert all(f"]({page})" in index for page in pages)


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")), ids=lambda page: page.name[:4])
def test_a_decision_has_its_four_parts_on_one_page(page: Path) -> None:
    headings = re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE)

    assert [part for part in ("Context", "Decision", "Consequences", "Alternatives") if part not in headings] == []
    assert len(page.read_text().splitlines()) <= 70
