"""What was seen is asked about later: a gaze and a memory in one agent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agents import AgentConfig
from agents.options import Option
from agents.training.recipe import EnvConfig, Recipe
from runs.recipes.recall import controlled, reader


def walker(**options: Option) -> AgentConfig:
    """A reader of what it sees on a walk, in whose memory glimpses count as much as words."""
    return replace(reader(**options), glimpse_encoder="patches", join="norm")


def lstm_walker(units: int, memory: str, **options: Option) -> AgentConfig:
    """A reader of what it sees on a walk by an LSTM, which writes and reads this memory; "none" is the LSTM alone."""
    return replace(controlled(units, memory, **options), glimpse_encoder="patches", join="norm")


def with_learned_gaze(oracle: Recipe, episodes: int, **changes: Any) -> Recipe:
    """The recipe that goes on from one with the oracle's gaze: the agent learns to look for itself."""
    name = oracle.name.removesuffix("-oracle")
    return replace(
        oracle,
        name=name,
        gaze="learned",
        episodes=episodes,
        estimator="reinforce",
        discount=1.0,
        init_from=f"runs/pretrained/{oracle.name}.pt",
        **{"led": 0.5, "led_end": 0.1, **changes},
    )


# Several questions about the same learned pictures: seeing those is most of what an episode costs. Half of them show
# the drawing that was learned: without these, twenty ways are at chance after 5,000 episodes. A memory that begins by
# likeness (`alike`) learns sooner.
OMNIGLOT = Recipe(
    "omniglot",
    EnvConfig("Omniglot-v0", arguments=("query_glimpses=1", "rotate=True", "affine=1.0", "queries=10", "same=0.5")),
    replace(reader(slots=64, heads=4, hops=1, alike=6), glimpse_encoder="blocks", channels=16),
    "centre",
    episodes=60_000,
    batch=16,
    optimizer="muon",
    lr=3e-3,
    max_grad_norm=1.0,
)
# Three glimpses of a question. From nothing it is not learned: the question's own glimpses are what is most like it.
OMNIGLOT_GAZE = replace(
    OMNIGLOT,
    name="omniglot-gaze",
    env=replace(OMNIGLOT.env, arguments=("query_glimpses=3", *OMNIGLOT.env.arguments[1:])),
    gaze="learned",
    lr=2e-3,
    answer_weights="later",
    init_from="runs/pretrained/omniglot.pt",
)
# Asked after its last glimpse, several times: the memory holds what was seen, and the question is one slot more. With
# an object in each slot the agent learns within minutes; with random places, or while the gaze learns too, it is at
# chance after 180,000 questions. So it learns to answer first, where the oracle looks; and then to look for itself,
# among the cells of an overview, which the answer does not see.
SORT_OF_CLEVR_AFTER_ORACLE = Recipe(
    "sort-of-clevr-after-oracle",
    EnvConfig("SortOfCLEVR-v0", arguments=("ask=after", "queries=20", "overview=36")),
    replace(walker(slots=32, heads=4, hops=3), saccades="cells", ignore=("time", "overview")),
    "oracle",
    episodes=60_000,
    batch=32,
    optimizer="muon",
    lr=1e-2,
    max_grad_norm=1.0,
)
SORT_OF_CLEVR_AFTER = with_learned_gaze(SORT_OF_CLEVR_AFTER_ORACLE, 60_000, lr=5e-3, gaze_lr=0.6, std=0.25)
# The question is there at every glimpse, and the answer at the last one counts.
SORT_OF_CLEVR = replace(
    SORT_OF_CLEVR_AFTER,
    name="sort-of-clevr",
    env=EnvConfig("SortOfCLEVR-v0", arguments=("overview=36",)),
    episodes=200_000,
    init_from="runs/pretrained/sort-of-clevr-after.pt",
)
# Twelve questions about each walk, in training: most of what an episode costs is to see. As above: first where the
# oracle looks, then for itself. With any numbers, all of them are known in longer walks. An LSTM that asks a Hopfield
# memory recalls the picture that was asked for (90 % of its reads, where the gaze learns too); an episodic memory by
# itself answers as well, and half of its reads are elsewhere.
GALLERY_ORACLE = Recipe(
    "gallery-oracle",
    EnvConfig("Gallery-v0", arguments=("questions=12", "numbers=any", "delay=(0, 4, 8)")),
    lstm_walker(256, "hopfield", slots=64),
    "oracle",
    episodes=90_000,
    batch=64,
    optimizer="muon",
    lr=4e-3,
    max_grad_norm=1.0,
)
GALLERY = with_learned_gaze(GALLERY_ORACLE, 120_000, gaze_lr=0.4, led=1.0, led_end=0.0)
# The question's step recalls what came first, then what is like it, then where that was. Hops with a softmax do not
# find this chain in 24,000 episodes, and those without one find it in 6,000 (`memory.association`). Each step has a
# constant share in a recall: with a mean, little is left after a long delay.
WHAT_THEN_WHERE_ORACLE = replace(
    GALLERY_ORACLE,
    name="what-then-where-oracle",
    env=EnvConfig("WhatThenWhere-v0", arguments=("delay=(4, 8)",)),
    agent=walker(slots=64, heads=4, hops=2, associations=2, share=1 / 16),
    episodes=20_000,
    batch=16,
    lr=3e-3,
)
# Two glimpses of one image are alike where the gaze is exact to a pixel: so it is trained with a small deviation, and
# the oracle leads it in all episodes at first. Held out: `runs.evaluate what-then-where --arguments
# delay=64 --memory-options slots=144`.
WHAT_THEN_WHERE = with_learned_gaze(WHAT_THEN_WHERE_ORACLE, 48_000, gaze_lr=1.0, std=0.02, led=1.0, led_end=0.0)
# What changed is what is not as alike as it was: the memory begins by likeness. The answers at all steps count: more is
# learned. Trained with short delays alone; longer ones: `runs.evaluate change-detection --arguments delay=128
# --memory-options slots=144`.
CHANGE_DETECTION_ORACLE = replace(
    GALLERY_ORACLE,
    name="change-detection-oracle",
    env=EnvConfig("ChangeDetection-v0", arguments=("delay=(2, 4, 8)",)),
    agent=walker(slots=64, heads=4, hops=3, alike=6),
    episodes=40_000,
    batch=32,
    lr=5e-3,
    answer_weights="all",
)
# Nothing tells what is right but the reward: an answer is drawn, and what it earned stands in the memory, beside the
# image. With encoders of unlike length, or a memory that does not begin by likeness, the agent never learns to tell the
# images apart: it answers what was right most often.
VISUOMOTOR = replace(
    GALLERY_ORACLE,
    name="visuomotor",
    env=EnvConfig("VisuomotorMapping-v0"),
    agent=walker(slots=64, heads=4, hops=3, alike=6),
    gaze="centre",
    lr=3e-3,
    answer_signal="reward",
    estimator="reinforce",
    discount=0.0,
    entropy_weight=0.05,
    episodes=40_000,
)

OTHER_MEMORIES: dict[str, dict[str, Option]] = {
    "none": {},
    "ntm": {"slots": 64, "width": 32},
    "dnc": {"slots": 64},
    "hopfield": {"slots": 64},
}

WALK_RECIPES = (
    OMNIGLOT,
    OMNIGLOT_GAZE,
    SORT_OF_CLEVR_AFTER_ORACLE,
    SORT_OF_CLEVR,
    SORT_OF_CLEVR_AFTER,
    replace(SORT_OF_CLEVR_AFTER_ORACLE, name="sort-of-clevr-after-random", gaze="random"),
    GALLERY_ORACLE,
    GALLERY,
    replace(GALLERY_ORACLE, name="gallery-random", gaze="random", episodes=210_000),
    WHAT_THEN_WHERE_ORACLE,
    WHAT_THEN_WHERE,
    CHANGE_DETECTION_ORACLE,
    with_learned_gaze(CHANGE_DETECTION_ORACLE, 40_000, gaze_lr=1.0),
    VISUOMOTOR,
    *(
        replace(recipe, name=f"{recipe.name}-{memory}", agent=lstm_walker(128, memory, **options))
        for recipe in (WHAT_THEN_WHERE_ORACLE, CHANGE_DETECTION_ORACLE)
        for memory, options in OTHER_MEMORIES.items()
    ),
    *(
        replace(GALLERY_ORACLE, name=name, gaze=gaze, agent=lstm_walker(256, memory, **OTHER_MEMORIES[memory]))
        for name, memory, gaze in (
            ("gallery-none", "none", "oracle"),
            ("gallery-random-none", "none", "random"),
            ("gallery-oracle-ntm", "ntm", "oracle"),
            ("gallery-oracle-dnc", "dnc", "oracle"),
        )
    ),
    replace(
        GALLERY_ORACLE,
        name="gallery-oracle-episodic",
        lr=1e-2,
        agent=walker(slots=64, heads=4, hops=3, time="none"),
    ),
)
