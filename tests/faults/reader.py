"""A reader of the catalogue and the pages, who watches the timestamp too; asks the other replica where one does not answer."""

import hashlib
import json

import httpx

from tests.faults.part import Driver

PATHS = (
    "/v1/catalogue",
    "/v1/bundles",
    "/v1/primary",
    "/v1/health",
    "/",
    "/bundles",
    "/submissions",
    "/tuf/metadata/timestamp.json",
)
PATIENCE = 20.0  # seconds


def play(driver: Driver) -> None:
    """Ask, and write down every answer."""
    clients = {url: httpx.Client(base_url=url, timeout=PATIENCE) for url in driver.part.urls}
    turn = 0
    while not driver.is_over:
        turn += 1
        path = driver.draw.choice(PATHS)
        if not _ask(driver, clients[driver.part.urls[turn % len(clients)]], path):
            _ask(driver, clients[driver.part.urls[(turn + 1) % len(clients)]], path)
        driver.wait(0.3, 0.8)


def _ask(driver: Driver, http: httpx.Client, path: str) -> bool:
    """Ask one replica; whether it answered."""
    try:
        answer = http.get(path)
    except httpx.HTTPError as error:
        driver.journal.write("failure", what="read", status=None, code=type(error).__name__, message=f"{path}: {error}"[:300])
        return False
    if not answer.is_success:
        code = _code_of(answer)
        driver.journal.write(
            "failure", what="read", status=answer.status_code, code=code, message=f"{path}: {answer.text[:200]}"
        )
        return False
    if path.endswith("timestamp.json"):
        version = answer.json()["signed"]["version"]
        driver.journal.write("timestamp", version=version, digest=hashlib.sha256(answer.content).hexdigest())
    else:
        driver.journal.write("read", path=path)
    return True


def _code_of(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["code"])
    except (json.JSONDecodeError, KeyError, TypeError):
        return "unavailable" if answer.status_code == 503 and "does not answer" in answer.text else "page"
