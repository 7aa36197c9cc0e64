import tomllib
from importlib import resources
from pathlib import Path

import pytest

from manyheads_contributor.recipe import Recipe, RecipeError, build_recipe, load_recipe, recipe_names


def test_the_defaults_are_the_published_numbers_key_by_key() -> None:
    shipped = (resources.files("manyheads_contributor") / "recipes" / "khoo2022.toml").read_text()
    assert load_recipe("khoo2022") == Recipe()
    assert list(tomllib.loads(shipped)) == list(Recipe.model_fields)


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_can_be_read(name: str) -> None:
    assert load_recipe(name).digest.startswith("sha256:")


def test_a_recipe_survives_being_written() -> None:
    recipe = load_recipe("quick", [r"group_pattern=latent(\d+)", "head_learning_rate=2e-3"])
    assert build_recipe(tomllib.loads(recipe.to_toml()), name="copy") == recipe


def test_an_unknown_key_is_refused_with_the_nearest_known_one(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("learning_rate = 1e-3\n")
    with pytest.raises(RecipeError, match=r"unknown key 'learning_rate'; did you mean head_learning_rate"):
        load_recipe(str(tmp_path / "mine.toml"))


def test_set_takes_numbers_and_bare_words() -> None:
    recipe = load_recipe("khoo2022", ["max_epochs=7", "schedule=cosine", r"group_pattern = latent(\d+)"])
    assert (recipe.max_epochs, recipe.schedule, recipe.group_pattern) == (7, "cosine", r"latent(\d+)")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("max_epochs=0", "max_epochs"),
        ("max_epochs=ten", "max_epochs"),
        ("train_fraction=0.8", "add up to 1"),
        ("fit=native", "image_size 0"),
        ("image_size=100", "multiple of 8"),
        ("degradation=rain", "paper-as-written"),
        ("architecture=resnet", "khoo2022-pixel"),
        ("seed=-1", "seed"),
        ("max_epochs", "key=value"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe("khoo2022", [override])


def test_a_recipe_that_is_no_file_names_those_that_ship() -> None:
    with pytest.raises(RecipeError, match="khoo2022, quick"):
        load_recipe("khoo2023")


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("seed: 1\n")
    with pytest.raises(RecipeError, match="expected TOML"):
        load_recipe(str(tmp_path / "mine.toml"))


def test_another_number_is_another_digest() -> None:
    assert load_recipe("khoo2022", ["seed=1"]).digest != load_recipe("khoo2022").digest
