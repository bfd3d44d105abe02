"""Texts whose words are looked at one by one."""

from __future__ import annotations

from dataclasses import replace

from agents import AgentConfig
from agents.training.recipe import EnvConfig, Recipe

# The gaze chooses a word, and is led by the oracle: a Gaussian along the text, or no oracle, finds no clue that lies
# beyond the blur.
PLANTED = Recipe(
    "planted-senses",
    EnvConfig("WordSense-v0"),
    AgentConfig(width=96, core="set", saccades="words", ignore=()),
    episodes=150_000,
    batch=128,
    optimizer="muon",
    lr=3e-3,
    gaze_lr=1.0,
    answer_weights="later",
    led=0.5,
    std=0.3,
    max_grad_norm=1.0,
)
# Some thousand sentences are soon known by heart: word vectors are small, and in training words are unknown, and what
# is seen of them is left out, at random. Episodes that are led say too much: the oracle looks at what speaks for the
# right sense alone.
SENSES = replace(
    PLANTED,
    name="senses",
    env=EnvConfig("WordSense-v0", arguments=("words=noad", "unknown=0.1")),
    agent=replace(PLANTED.agent, core="rnn", dropout=0.3),
    led=0.3,
    led_end=0.1,
    episodes=200_000,
)
COARSE = replace(SENSES, name="coarse-senses", env=replace(SENSES.env, arguments=("words=coarse", "unknown=0.1")))
# How a word is pronounced is mostly told by its neighbours.
HOMOGRAPHS = replace(
    SENSES,
    name="homographs",
    env=replace(SENSES.env, arguments=("words=homographs", "unknown=0.1")),
    agent=replace(SENSES.agent, saccades="relative"),
    led=0.0,
    led_end=None,
    std=1.0,
    episodes=100_000,
)

# A command, carried out action by action: what is to be done next is kept in an LSTM, which learns much sooner with
# Adam (oracle gaze, after 7,500 commands: 23 % wrong, with Muon 99). Commands of alike lengths are played side by side.
SCAN = replace(
    PLANTED,
    name="scan",
    env=EnvConfig("Scan-v0"),
    agent=replace(PLANTED.agent, core="lstm", width=128),
    answer_weights="all",
    led_end=0.1,
    batch=64,
    bucket_batches=16,
    optimizer="adam",
    episodes=300_000,
)
SCAN_OF = {
    "scan-simple": "simple",
    "scan-length": "length",
    "scan-turn-left": "turn_left",
    "scan-jump": "jump",
    "scan-around-right": "around_right",
}
"""Recipes of the partitions that ask for more than was trained."""
SCANS = (
    SCAN,
    *(
        replace(SCAN, name=name, env=replace(SCAN.env, arguments=(f"partition={partition}",)))
        for name, partition in SCAN_OF.items()
    ),
)
# The same commands, read word by word: an LSTM that has nothing but its state, or attends to the words as well.
READ_SCAN = replace(
    SCAN,
    name="read-scan",
    env=EnvConfig("ReadScan-v0"),
    agent=AgentConfig(width=128, core="lstm", memory="episodic", memory_options=("slots=64", "width=64", "hops=1")),
    answer_weights="scored",
    led=0.0,
    led_end=None,
)
READERS = (
    READ_SCAN,
    replace(READ_SCAN, name="read-scan-none", agent=AgentConfig(width=128, core="lstm")),
    replace(
        READ_SCAN,
        name="read-scan-hopfield",
        agent=replace(READ_SCAN.agent, memory="hopfield", memory_options=("slots=64", "width=64")),
    ),
)
# What "it" means: which of two things, from a sentence some way before.
WINOGRAD = replace(
    PLANTED,
    name="winograd",
    env=EnvConfig("Pronoun-v0"),
    agent=replace(PLANTED.agent, core="lstm"),
    episodes=80_000,
)
# The last look is the answer, and it earns the reward; what is said beside it teaches the encoder.
ARCS = replace(
    PLANTED,
    name="arcs",
    env=EnvConfig("Arcs-v0"),
    agent=replace(PLANTED.agent, core="lstm", width=128),
    estimator="reinforce",
    discount=1.0,
    answer_weights="all",
    led=0.7,
    led_end=0.3,
    episodes=200_000,
)
ARCS_OF = tuple(
    replace(
        ARCS,
        name=f"arcs-{treebank}",
        env=replace(ARCS.env, arguments=(f"treebank={treebank}",)),
        agent=replace(ARCS.agent, dropout=0.1),
        episodes=episodes,
    )
    for treebank, episodes in (("atis", 400_000), ("ewt", 1_200_000))
)

WORD_RECIPES = (
    *READERS,
    WINOGRAD,
    replace(WINOGRAD, name="winograd-random", gaze="random", led=0.0, led_end=None),
    ARCS,
    *ARCS_OF,
    *SCANS,
    PLANTED,
    SENSES,
    COARSE,
    HOMOGRAPHS,
    *(
        replace(recipe, name=f"{recipe.name}-{gaze}", gaze=gaze, led=0.0, led_end=None)
        for recipe in (PLANTED, SENSES, COARSE, HOMOGRAPHS)
        for gaze in ("random", "nearest")
    ),
)
