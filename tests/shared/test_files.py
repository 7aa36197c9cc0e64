import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from manyheads_shared.files import open_atomic, write_atomic

# stops for ever at one of the three moments a kill could hit: after writing, after syncing, before the rename
STOPPED = """
import os, sys, time
from pathlib import Path
from manyheads_shared.files import write_atomic
moment, path = sys.argv[1], Path(sys.argv[2])
def stop(*arguments):
    print("stopped", flush=True)
    time.sleep(60)
if moment == "sync":
    os.fsync = stop
elif moment == "mode":
    Path.chmod = stop
else:
    Path.replace = stop
write_atomic(path, b"new" * 100_000)
"""


def test_a_file_appears_whole_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    write_atomic(path, b"data")

    assert path.read_bytes() == b"data"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_a_stream_appears_as_a_file_when_it_ends_and_not_before(tmp_path: Path) -> None:
    with open_atomic(tmp_path / "file") as stream:
        stream.write(b"one, ")
        assert not (tmp_path / "file").exists()
        stream.write(b"two")

    assert (tmp_path / "file").read_bytes() == b"one, two"


def test_a_stream_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    write_atomic(tmp_path / "file", b"old")
    with pytest.raises(TypeError), open_atomic(tmp_path / "file") as stream:
        stream.writelines([b"new", "no bytes"])  # type: ignore[list-item]

    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("file", b"old")]


def test_a_file_is_replaced(tmp_path: Path) -> None:
    write_atomic(tmp_path / "file", b"old")
    write_atomic(tmp_path / "file", b"new")

    assert (tmp_path / "file").read_bytes() == b"new"


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_file_has_the_mode_asked_for(tmp_path: Path, mode: int) -> None:
    write_atomic(tmp_path / "file", b"data", mode=mode)

    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


@pytest.mark.parametrize("moment", ["sync", "mode", "rename"])
def test_a_process_killed_before_the_rename_leaves_the_old_file(tmp_path: Path, moment: str) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")
    with subprocess.Popen([sys.executable, "-c", STOPPED, moment, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"stopped\n"
        os.kill(process.pid, signal.SIGKILL)

    assert path.read_bytes() == b"old"
    write_atomic(path, b"newer")
    assert path.read_bytes() == b"newer"


def test_a_full_disk_leaves_the_old_file_and_no_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    write_atomic(tmp_path / "file", b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(tmp_path / "file", b"new")

    assert (tmp_path / "file").read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_folder_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()

    with pytest.raises(OSError, match="directory"):
        write_atomic(tmp_path / "file", b"data")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
