"""A forensic client: pulls in a loop into a store that it keeps, now and then into a new one."""

import re

from manyheads_client.fetch import FetchLimits, HttpFetcher
from manyheads_client.store import Store
from manyheads_client.update import pull
from manyheads_shared.errors import FetchError, ManyheadsError
from tests.faults.part import Driver

LIMITS = FetchLimits(silence_seconds=20.0, attempts=2, pause_seconds=0.3)
NEW_STORE = 0.15  # share of pulls that begin from nothing


def play(driver: Driver) -> None:
    """Pull, and write down which bundle came or why none did."""
    root, fetcher = open(driver.part.root, "rb").read(), HttpFetcher(LIMITS)  # noqa: PTH123, SIM115 - one line
    while not driver.is_over:
        number = sum(line["kind"] == "pulling" for line in driver.journal.read())
        name = f"new-{number}" if driver.draw.random() < NEW_STORE else "kept"
        driver.journal.write("pulling", store=name)
        try:
            held = pull(Store(driver.folder / name), driver.choose_url(), root, fetcher).held
            driver.journal.write("pulled", store=name, sequence=held.sequence, digest=held.bundle)
        except FetchError as error:
            driver.note_failure("pull", error)
        except ManyheadsError as error:
            driver.journal.write("refused", store=name, error=type(error).__name__, message=str(error)[:500])
        driver.wait(0.5, 3.0)


def status_in(message: str) -> int | None:
    """The status in a client's message that the hub answered with one."""
    found = re.search(r"the hub answered (\d{3})", message)
    return int(found.group(1)) if found else None
