"""`python -m tests.faults.drivers FOLDER`: one driver of load, as a process."""

import sys
from pathlib import Path

from tests.faults import client, maintainer, owner, reader
from tests.faults.part import Driver

ROLES = {"owner": owner.play, "client": client.play, "reader": reader.play, "maintainer": maintainer.play}

if __name__ == "__main__":
    _driver = Driver(Path(sys.argv[1]))
    ROLES[_driver.part.role](_driver)
