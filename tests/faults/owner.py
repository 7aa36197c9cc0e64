"""An owner: uploads in pieces, offers heads, asks again when no answer comes, and now and then when one has come.

FOLDER/offers/NNN has `offer.json` (the request, and the digest of each file) and what is to be uploaded; FOLDER/files has the
files by digest.
"""

import json
import time
from typing import Any

from manyheads_contributor.hub_client import HubClient, is_passing
from manyheads_shared.api import SubmissionRequest
from manyheads_shared.digest import Digest, hex_of
from manyheads_shared.errors import FetchError
from tests.faults.part import PAUSES, Driver

OPEN = ("received", "evaluating", "challenged")
MOST_OPEN = 2  # submissions of one owner in the queue: more would only wait
MOST_OFFERS = 4  # of one head that the hub gave up
AGAIN = 0.3  # share of answered offers that are sent once more


def play(driver: Driver) -> None:
    """Bring one offer after the other."""
    offers = sorted((driver.folder / "offers").iterdir())
    while not driver.is_over:
        over = {line["number"] for line in driver.journal.read() if line["kind"] in ("taken", "turned away")}
        number = next((number for number in range(len(offers)) if number not in over), None)
        try:
            with HubClient(driver.choose_url(), driver.part.token, pauses=PAUSES) as hub:
                if _has_room(driver, hub) and number is not None:
                    _bring(driver, hub, number, json.loads((offers[number] / "offer.json").read_bytes()))
                else:
                    driver.wait(0.5, 1.0)
        except FetchError as error:
            if not is_passing(error) and getattr(error, "code", "") != "upload-offset":
                raise
            driver.note_failure("owner", error)
            driver.wait(0.1, 0.5)


def _has_room(driver: Driver, hub: HubClient) -> bool:
    """Whether few are waiting. What the hub gave up is offered again on the way, as it asks."""
    infos = hub.list_submissions()
    lines = driver.journal.read()
    for info in infos:
        sent = [line for line in lines if line["kind"] == "offer" and line["head"] == info.head]
        alive = any(other.head == info.head and other.state != "failed" for other in infos)
        if info.state == "failed" and not alive and len({line["round"] for line in sent}) < MOST_OFFERS:
            offer = json.loads((driver.folder / "offers" / f"{sent[0]['number']:03}" / "offer.json").read_bytes())
            _offer(driver, hub, sent[0]["number"], offer, turn=1 + max(line["round"] for line in sent))
            return False
    return sum(info.state in OPEN for info in infos) < MOST_OPEN


def _bring(driver: Driver, hub: HubClient, number: int, offer: dict[str, Any]) -> None:
    """Upload what an offer needs and the hub has not acknowledged yet, and offer it."""
    whole = {line["digest"] for line in driver.journal.read() if line["kind"] == "whole"}
    for name in (name for name in offer["files"] if name not in whole):
        digest = Digest(name)
        path = driver.folder / "files" / hex_of(digest)
        driver.journal.write("uploading", digest=digest, length=path.stat().st_size)
        hub.upload(digest, path)
        driver.journal.write("whole", digest=digest, length=path.stat().st_size)
    _offer(driver, hub, number, offer, turn=0)


def _offer(driver: Driver, hub: HubClient, number: int, offer: dict[str, Any], *, turn: int) -> None:
    """Send an offer until it is answered; sometimes once more after that."""
    request = SubmissionRequest.model_validate(offer["request"])
    driver.journal.write("offer", number=number, head=request.head, round=turn)
    try:
        info = hub.submit(request)
    except FetchError as error:
        if is_passing(error):
            raise
        driver.journal.write("turned away", number=number, head=request.head, code=getattr(error, "code", ""))
        return
    driver.journal.write("taken", number=number, head=request.head, id=info.id, round=turn)
    if driver.draw.random() < AGAIN:
        driver.journal.write("offer again", number=number, head=request.head, first=info.id, at=time.time())
        again = hub.submit(request)
        driver.journal.write("answered again", first=info.id, id=again.id)
