"""The recipes, by name."""

from __future__ import annotations

from agents.training.recipe import Recipe
from runs.recipes.external import EXTERNAL_RECIPES, JOIN
from runs.recipes.images import IMAGE_RECIPES
from runs.recipes.photographs import PHOTOGRAPH_RECIPES
from runs.recipes.recall import RECALL_RECIPES
from runs.recipes.several import SEVERAL_RECIPES
from runs.recipes.walks import WALK_RECIPES
from runs.recipes.words import WORD_RECIPES

__all__ = ["JOIN", "RECIPES"]

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        *IMAGE_RECIPES,
        *PHOTOGRAPH_RECIPES,
        *SEVERAL_RECIPES,
        *RECALL_RECIPES,
        *WALK_RECIPES,
        *WORD_RECIPES,
        *EXTERNAL_RECIPES,
    )
}
