"""Committed figures are those of the code beside them: the recipe that made them is the one that ships."""

import argparse
import json
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest

import benchmarks
from benchmarks.loop import summary_table
from manyheads_contributor.recipe import Recipe, build_recipe, load_recipe

RESULTS = sorted((Path(benchmarks.__path__[0]) / "results").glob("loop-*.json"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_the_recipe_of_committed_figures_is_the_one_that_ships(path: Path) -> None:
    recorded = json.loads(path.read_bytes())
    assert build_recipe(tomllib.loads(recorded["recipe"]), name="recorded") == _shipped(recorded)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_readme_quotes_the_committed_figures(path: Path) -> None:
    readme = (path.parents[2] / "README.md").read_text()
    assert "\n".join(summary_table(json.loads(path.read_bytes()))) in readme


def _shipped(recorded: dict[str, Any]) -> Recipe:
    """The recipe as it ships today, changed as the recorded command and the size of its images change it."""
    options = argparse.ArgumentParser()
    options.add_argument("--group-by", default="")
    options.add_argument("--recipe", default="quick")
    options.add_argument("--set", action="append", default=[])
    given, _ = options.parse_known_args(shlex.split(recorded["command"])[3:])
    size = tomllib.loads(recorded["recipe"])["image_size"]  # the demo takes that of the images
    return load_recipe(given.recipe, [f"group_pattern={given.group_by}", f"image_size={size}", *given.set])
