"""A maintainer: yanks, quarantines and releases heads through the API, each for a reason of its own; asks again if need be."""

import httpx

from manyheads_shared.api import CatalogueEntry
from tests.faults.part import Driver

PATIENCE = 40.0  # seconds; longer than a writer waits for a lock
YANK, RELEASE = 0.2, 0.7  # chances: of a yank rather than a quarantine; of a release where a head is in quarantine


def play(driver: Driver) -> None:
    """Change what becomes of some head, every few seconds."""
    headers = {"Authorization": f"Bearer {driver.part.token}"}
    clients = [httpx.Client(base_url=url, headers=headers, timeout=PATIENCE) for url in driver.part.urls]
    while not driver.is_over:
        driver.wait(2.0, 5.0)
        lines = driver.journal.read()
        asked = [line for line in lines if line["kind"] == "asking"]
        over = {line["reason"] for line in lines if line["kind"] == "answered"}
        waiting = next((line for line in asked if line["reason"] not in over), None)
        if waiting is not None:
            _ask(driver, driver.draw.choice(clients), waiting)
        elif (chosen := _choose(driver, driver.draw.choice(clients))) is not None:
            action, head = chosen
            facts = {"action": action, "head": head, "reason": f"change {len(asked)} of the fault test"}
            driver.journal.write("asking", **facts)
            _ask(driver, driver.draw.choice(clients), facts)


def _choose(driver: Driver, http: httpx.Client) -> tuple[str, str] | None:
    """Choose what to do, and to which head; None where there is nothing to do."""
    try:
        answer = http.get("/v1/catalogue").raise_for_status()
    except httpx.HTTPStatusError as error:
        _note(driver, error.response)
        return None
    except httpx.HTTPError as error:
        driver.journal.write("failure", what="maintain", status=None, code=type(error).__name__, message=str(error)[:300])
        return None
    entries = [CatalogueEntry.model_validate(each) for each in answer.json()]
    held = [entry for entry in entries if entry.state == "quarantined"]
    listed = [entry for entry in entries if entry.state == "listed"]
    if held and driver.draw.random() < RELEASE:
        return "release", driver.draw.choice(held).generator.title
    if listed:
        return "yank" if driver.draw.random() < YANK else "quarantine", driver.draw.choice(listed).generator.title
    return None


def _ask(driver: Driver, http: httpx.Client, asked: dict[str, str]) -> None:
    """Ask for one change; an answer that says neither yes nor no leaves it open."""
    name, version = asked["head"].split("@")
    try:
        answer = http.post(f"/v1/catalogue/{name}/{version}/{asked['action']}", json={"reason": asked["reason"]})
    except httpx.HTTPError as error:
        driver.journal.write("failure", what="maintain", status=None, code=type(error).__name__, message=str(error)[:300])
        return
    if answer.status_code >= 500:
        _note(driver, answer)
        return
    driver.journal.write("answered", reason=asked["reason"], status=answer.status_code)


def _note(driver: Driver, answer: httpx.Response) -> None:
    code = answer.json().get("code", "") if "json" in answer.headers.get("content-type", "") else "page"
    driver.journal.write("failure", what="maintain", status=answer.status_code, code=code, message=answer.text[:300])
