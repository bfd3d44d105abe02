"""Texts whose words are looked at one by one."""

from __future__ import annotations

from dataclasses import replace

from agents import AgentConfig
from agents.training.recipe import EnvConfig, Recipe

# Some thousand sentences are soon known by heart: word vectors are small, and in training words are unknown, and what
# is seen of them is left out, at random.
PLANTED = Recipe(
    "planted-senses",
    EnvConfig("WordSense-v0"),
    AgentConfig(width=96, core="set", ignore=()),
    episodes=150_000,
    batch=128,
    optimizer="muon",
    lr=3e-3,
    answer_weights="later",
    std=5.0,
    std_end=0.5,
    max_grad_norm=1.0,
)
HOMOGRAPHS = replace(
    PLANTED,
    name="homographs",
    env=EnvConfig("WordSense-v0", arguments=("words=homographs", "unknown=0.1")),
    agent=replace(PLANTED.agent, core="rnn", dropout=0.3),
    episodes=100_000,
)
SENSES = replace(
    HOMOGRAPHS, name="senses", env=replace(HOMOGRAPHS.env, arguments=("words=noad", "unknown=0.1")), episodes=200_000
)
COARSE = replace(SENSES, name="coarse-senses", env=replace(SENSES.env, arguments=("words=coarse", "unknown=0.1")))

WORD_RECIPES = (
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
