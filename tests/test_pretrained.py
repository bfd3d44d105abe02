"""The committed weights: they load, and recipes that begin with some find them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents import load_agent
from agents.loading import build_agent, copy_weights
from agents.names import names_in
from agents.training.checkpoint import load_checked
from agents.training.recipe import Recipe
from runs.recipes import RECIPES
from runs.results import PRETRAINED

LARGEST = 4 * 2**20


@pytest.mark.parametrize("path", sorted(PRETRAINED.glob("*.pt")), ids=lambda path: path.stem)
def test_weights_load_and_are_small(path: Path):
    load_agent(path)
    Recipe.from_dict(load_checked(path)["recipe"])
    assert path.stat().st_size <= LARGEST


@pytest.mark.parametrize("recipe", [r for r in RECIPES.values() if r.init_from], ids=lambda recipe: recipe.name)
def test_a_recipe_finds_what_it_begins_with(recipe: Recipe):
    first = load_agent(recipe.init_from)
    copy_weights(build_agent(first.spec, recipe.agent), recipe.init_from, names_in(load_checked(recipe.init_from)))
