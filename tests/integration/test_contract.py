"""The API against its own description: whatever fits it, or nearly does, is answered as described and never by a traceback."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from manyheads_hub.app import create_app
from manyheads_hub.hub import open_hub
from manyheads_hub.settings import Settings
from tests.support.live_hub import enrol, make_hub, package, submit, work
from tests.support.makers import make_generator

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 15  # of every endpoint and kind; the same ones every time
DESCRIBED = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text())["paths"]


def can_be_unfitting(operation: dict[str, Any]) -> bool:
    """Whether anything asked for is more than a plain text."""
    schemas = [parameter["schema"] for parameter in operation.get("parameters", ())]
    return "requestBody" in operation or any(
        set(schema) - {"type", "title"} or schema["type"] != "string" for schema in schemas
    )


CASES = [
    pytest.param(method, path, mode, id=f"{mode.name.lower()}-{method}-{path}")
    for path, methods in DESCRIBED.items()
    for method, operation in methods.items()
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if mode == GenerationMode.POSITIVE or can_be_unfitting(operation)
]


@dataclass(frozen=True)
class Api:
    """A hub's API as it is described, and a token for it."""

    schema: BaseSchema
    token: str


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Api:
    """A hub with an accepted head, for its owner."""
    folder = make_hub(tmp_path_factory.mktemp("contract") / "hub")
    with open_hub(folder) as hub:
        ada = enrol(hub)
        submit(hub, ada, package(ada, make_generator("alpha")))
        work(hub)
    return Api(schemathesis.openapi.from_asgi("/v1/openapi.json", create_app(Settings.read(folder))), ada.token)


@pytest.mark.parametrize(("method", "path", "mode"), CASES)
def test_an_endpoint_answers_as_it_is_described(api: Api, method: str, path: str, mode: GenerationMode) -> None:
    checks = CHECKS if mode == GenerationMode.POSITIVE else [*CHECKS, negative_data_rejection]

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=api.schema[path][method].as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(headers={"Authorization": f"Bearer {api.token}"}, checks=checks)

    ask()
