"""Several things on one canvas, and things that move."""

from __future__ import annotations

from dataclasses import replace

from agents import AgentConfig
from agents.training.recipe import EnvConfig, Recipe
from runs.recipes.images import CLUTTERED

# Two places are worth a look, and a Gaussian has one peak: the gaze chooses among the cells of an overview, which the
# answer does not see. The oracle leads at first: from left to right. Looks deviate by a few pixels alone: with half a
# cell, digits are recognised three times more slowly. Patches of 20 cells are ahead at first, and behind at the end.
PAIRS = replace(
    CLUTTERED,
    name="pairs",
    env=EnvConfig("MNISTPairs-v0", patch=12, scales=3, arguments=("overview=50",)),
    agent=AgentConfig(glimpse_encoder="patches", core="max", saccades="cells", ignore=("time", "overview")),
    episodes=1_000_000,
    batch=256,
    led=0.5,
    led_end=0.1,
    std=0.2,
    std_end=0.05,
    gaze_lr=1.0,
)
ADDITION = replace(PAIRS, name="addition", env=replace(PAIRS.env, id="MNISTAddition-v0"))
# The network of Ba et al. 2015: *what* and *where* in an LSTM each. The coarse look is the overview's.
PAIRS_DRAM = replace(PAIRS, name="pairs-dram", agent=replace(PAIRS.agent, core="dram", width=128))
# One after the other: what was said is to be remembered, and the end to be seen.
TRANSCRIBE = replace(
    PAIRS,
    name="transcribe",
    env=EnvConfig("Transcribe-v0", patch=14, scales=2, arguments=("overview=(27, 55)",)),
    agent=replace(PAIRS.agent, core="lstm"),
    answer_weights="all",
    episodes=400_000,
)
TRANSCRIBE_CLUTTERED = replace(
    TRANSCRIBE,
    name="transcribe-cluttered",
    env=replace(TRANSCRIBE.env, pieces=4),
    led_end=0.5,  # with less, the gaze skips digits again
    std=0.1,
    episodes=200_000,
    lr=2.5e-3,
    init_from="transcribe",
)
# Five digits among strokes. What to look for in an overview, and what digits are, is learned on a ninth of the canvas:
# the gaze reads its map by convolutions, so the same weights go on at 1500 × 1500 pixels. Three of a class are more
# than one: what was found is counted, too, and so a digit that is looked at twice counts twice: there is a glimpse
# for each, after the first.
MEGAPIXEL_500 = replace(
    PAIRS,
    name="megapixel-500",
    env=EnvConfig("Megapixel-v0", num_glimpses=6, arguments=("size=500", "strokes=10", "overview=60", "scenes=None")),
    agent=replace(PAIRS.agent, glimpse_encoder="blocks", channels=16, core="set"),
    std=0.1,
    episodes=50_000,
    batch=32,
    lr=3e-3,
)
MEGAPIXEL = replace(
    MEGAPIXEL_500,
    name="megapixel",
    env=EnvConfig("Megapixel-v0", num_glimpses=6, arguments=("overview=180", "scenes=None")),
    led=0.1,
    led_end=None,
    std=0.05,
    std_end=None,
    episodes=8_000,
    lr=1e-3,
    init_from="megapixel-500",
)
# The strokes below, and four questions at once: which class there are three of, the largest digit, the topmost, and
# which classes there are at all.
ALL = ("question=all", "digits_on_top=True")
MEGAPIXEL_IPS_500 = replace(
    MEGAPIXEL_500,
    name="megapixel-ips-500",
    env=replace(MEGAPIXEL_500.env, num_glimpses=10, arguments=(*MEGAPIXEL_500.env.arguments, *ALL)),
    episodes=70_000,
)
MEGAPIXEL_IPS = replace(
    MEGAPIXEL,
    name="megapixel-ips",
    env=replace(MEGAPIXEL.env, arguments=(*MEGAPIXEL.env.arguments, *ALL)),
    init_from="megapixel-ips-500",
)
# Digits of half the size, four questions.
MEGAPIXEL_14 = replace(
    MEGAPIXEL_IPS_500,
    name="megapixel-14",
    env=replace(MEGAPIXEL_500.env, arguments=(*MEGAPIXEL_500.env.arguments, *ALL, "side=14")),
    episodes=20_000,
    init_from="megapixel-ips-500",
)
# What is asked for is known from the first glimpse on, and the map of the overview's cells is read with it.
SEARCH = replace(
    PAIRS,
    name="search",
    env=EnvConfig("Search-v0", arguments=("overview=48",)),
    episodes=300_000,
    unfound_weight=0.1,
)
# Nothing tells what is right but the reward, which comes at the end. With a larger step, or less entropy, the moves are
# certain before they are any good; and with a discount the last ones, which matter most, learn first. A ball of a pixel
# is a sixteenth of white in the widest patch: without an encoder that normalises contrast, nothing is learned.
CATCH = Recipe(
    "catch",
    EnvConfig("Catch-v0"),
    AgentConfig(glimpse_encoder="blocks", channels=8, core="lstm"),
    answer_signal="reward",
    estimator="reinforce",
    discount=0.95,
    entropy_weight=0.05,
    episodes=200_000,
    batch=128,
    lr=5e-4,
    max_grad_norm=1.0,
)

SEVERAL_RECIPES = (
    PAIRS,
    PAIRS_DRAM,
    ADDITION,
    TRANSCRIBE,
    TRANSCRIBE_CLUTTERED,
    MEGAPIXEL_500,
    MEGAPIXEL,
    MEGAPIXEL_IPS_500,
    MEGAPIXEL_IPS,
    MEGAPIXEL_14,
    SEARCH,
    CATCH,
    replace(CATCH, name="catch-random", gaze="random"),
    *(
        replace(recipe, name=f"{recipe.name}-random", gaze="random", led=0.0, led_end=None, init_from=None)
        for recipe in (PAIRS, ADDITION, TRANSCRIBE, TRANSCRIBE_CLUTTERED, SEARCH)
    ),
)
