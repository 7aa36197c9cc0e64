"""A disk that is too small is an error before the first row, not a killed process in the middle."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from manyheads_contributor.arrays import create_array

_FILL = """
import sys
from pathlib import Path
from manyheads_contributor.arrays import create_array
from manyheads_shared import terminal
terminal.run(lambda: create_array(Path(sys.argv[1]) / "cache" / "features.npy", "float16", (1 << 20,)).fill(1))
"""


def test_an_array_is_there_whole_and_can_be_read_again(tmp_path: Path) -> None:
    array = create_array(tmp_path / "cache" / "a.npy", np.float16, (100, 1000))
    array[:] = 7
    array.flush()
    assert (tmp_path / "cache" / "a.npy").stat().st_blocks * 512 >= array.nbytes
    assert (np.load(tmp_path / "cache" / "a.npy") == 7).all()


def test_a_full_disk_is_said_and_leaves_no_file(tmp_path: Path) -> None:
    mount = (
        'mount -t tmpfs -o size=1m tmpfs "$1" && "$2" -c "$3" "$1"; code=$?; ls "$1/cache"; exit $code'  # gone with the shell
    )
    command = ["unshare", "--mount", "sh", "-c", mount, "sh", str(tmp_path), sys.executable, _FILL]
    if subprocess.run([*command[:4], 'mount -t tmpfs tmpfs "$1"', "sh", str(tmp_path)], check=False).returncode:
        pytest.skip("no right to mount a small disk")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (5, ""), done.stderr
    assert "no space left on the disk at" in done.stderr.replace("\n", " ")
    assert "features.npy" in done.stderr


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OSError, match="cache") as caught:
        create_array(tmp_path / "cache" / "a.npy", np.uint8, (1,))
    assert caught.value.errno in (errno.EEXIST, errno.ENOTDIR)
    assert os.listdir(tmp_path) == ["cache"]  # noqa: PTH208 - names
