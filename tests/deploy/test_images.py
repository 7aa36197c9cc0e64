"""What the images are made of: the API has the project's lock without torch; a linter finds no fault in the Dockerfile."""

import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def locked(path: Path) -> dict[str, str]:
    """Packages and versions of a lock."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", path.read_text(), re.MULTILINE))


def test_the_api_has_the_projects_versions_and_no_torch() -> None:
    everything, api = locked(ROOT / "requirements.lock"), locked(ROOT / "deploy" / "requirements-api.lock")
    assert api.items() <= everything.items()
    assert not {name for name in api if name.startswith(("torch", "nvidia", "cuda", "triton"))}
    assert {"fastapi", "sqlalchemy", "psycopg", "boto3", "tuf", "uvicorn", "alembic"} <= api.keys()


def test_a_linter_finds_nothing_in_the_dockerfile() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, ROOT / "deploy" / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_no_image_runs_as_root_and_no_container_may_write_to_its_own_disk() -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    services = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]
    assert "USER 10001" in dockerfile
    for name in ("api", "worker"):
        assert (services[name]["read_only"], services[name]["cap_drop"]) == (True, ["ALL"])


def test_what_compose_mounts_and_copies_is_there() -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    copied = {part for line in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE) for part in line.split()}
    assert [name for name in sorted(copied) if not (ROOT / name).exists() and name != "requirements-api.lock"] == []
    assert (ROOT / "deploy" / "Caddyfile").is_file()
