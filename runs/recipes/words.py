"""Texts whose words are looked at one by one, and what is worth remembering."""

from __future__ import annotations

from dataclasses import replace

from agents import AgentConfig
from agents.training.recipe import EnvConfig, Recipe
from runs.recipes.recall import reader

# Some thousand sentences are soon known by heart: word vectors are small, and in training words are unknown, and what
# is seen of them is left out, at random.
PLANTED = Recipe(
    "planted-senses",
    EnvConfig("WordSense-v0"),
    AgentConfig(width=96, core="set", ignore=()),
    episodes=300_000,
    batch=128,
    optimizer="muon",
    lr=3e-3,
    answer_weights="later",
    std=1.0,
    max_grad_norm=1.0,
)
HOMOGRAPHS = replace(
    PLANTED,
    name="homographs",
    env=EnvConfig("WordSense-v0", arguments=("words=homographs", "unknown=0.1")),
    agent=replace(PLANTED.agent, core="rnn", dropout=0.3),
)
SENSES = replace(HOMOGRAPHS, name="senses", env=replace(HOMOGRAPHS.env, arguments=("words=noad", "unknown=0.1")))
COARSE = replace(SENSES, name="coarse-senses", env=replace(SENSES.env, arguments=("words=coarse", "unknown=0.1")))

# Nothing tells what is right but the reward. What was seen at the beginning is one of 250 slots; likeness is no help.
T_MAZE = Recipe(
    "t-maze",
    EnvConfig("TMaze-v0", arguments=("length=250",)),
    replace(reader(slots=256, heads=1, hops=1, time="none"), width=32),
    answer_signal="reward",
    estimator="reinforce",
    discount=0.99,
    entropy_weight=0.01,
    episodes=20_000,
    batch=32,
    optimizer="adam",
    lr=2e-3,
    max_grad_norm=1.0,
)
T_MAZE_ACTIVE = replace(
    T_MAZE,
    name="t-maze-active",
    env=EnvConfig("TMaze-v0", arguments=("length=20", "active=True")),
    agent=replace(reader(slots=32, heads=1, hops=1, time="none"), width=32),
    discount=1.0,
    episodes=40_000,
    batch=64,
)

WORD_RECIPES = (
    T_MAZE,
    T_MAZE_ACTIVE,
    *(
        replace(recipe, name=f"{recipe.name}-none", agent=AgentConfig(width=32, core="lstm", ignore=()))
        for recipe in (T_MAZE, T_MAZE_ACTIVE)
    ),
    PLANTED,
    HOMOGRAPHS,
    SENSES,
    COARSE,
    *(
        replace(recipe, name=f"{recipe.name}-{gaze}", gaze=gaze)
        for recipe in (PLANTED, HOMOGRAPHS, SENSES, COARSE)
        for gaze in ("random", "nearest")
    ),
)
