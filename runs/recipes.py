"""The recipes, by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agents import AgentConfig, StoryMapConfig
from agents.config import GlimpseKind
from agents.options import Option, format_options
from agents.training.recipe import EnvConfig, Recipe

IMAGES = Recipe(answer_weights="later")
# Muon and two small convolutions reach in a million episodes what Adam and a linear encoder reach in ten.
CLUTTERED = replace(IMAGES, agent=AgentConfig(glimpse_encoder="patches"), episodes=1_500_000, optimizer="muon", lr=5e-3)
# Without a periphery the gaze learns more slowly; without an overhang the 55,000 images are soon known by heart (0.8 %
# error in training, 3 % in validation).
MNIST = replace(
    IMAGES,
    name="mnist",
    env=EnvConfig("MNIST-v0", overhang=2),
    agent=AgentConfig(where_hidden=64),
    episodes=14_000_000,
    std=0.15,
    gaze_lr=1.0,
)
FASHION_CLUTTERED = replace(
    CLUTTERED, name="fashion-cluttered", env=EnvConfig("ClutteredMNIST-v0", dataset="fashion_mnist"), episodes=3_000_000
)
# Once an answer is certain, what is quiet is the best to look at: without the weight the gaze leaves the canvas.
FASHION = replace(
    FASHION_CLUTTERED,
    name="fashion",
    env=EnvConfig("MNIST-v0", dataset="fashion_mnist", num_glimpses=8, scales=2, overhang=2),
    episodes=2_500_000,
    edge_weight=10.0,
)
# A street has many places worth a look: the gaze chooses among the cells of an overview, which the answer does not see.
TRAFFIC_SIGNS = replace(
    CLUTTERED,
    name="traffic-signs",
    env=EnvConfig("TrafficSigns-v0", resize=680, patch=20, scales=3, arguments=("composed=0.8", "overview=204")),
    agent=AgentConfig(width=160, glimpse_encoder="patches", core="max", saccades="cells", ignore=("time", "overview")),
    episodes=60_000,
    batch=16,
    lr=3e-3,
    gaze_lr=1.0,
    led=1.0,
    led_end=0.5,
    std=0.5,
)
# Icons of 48 to 256 pixels, anywhere on a canvas of 256 (`runs.icon_set`).
ICONS = replace(
    TRAFFIC_SIGNS,
    name="icons",
    env=EnvConfig(
        "Classify-v0",
        images="icons",
        num_glimpses=6,
        patch=16,
        scales=4,
        arguments=("overview=64", "augment=scale,brightness,contrast,colour,cutout:0.5"),
    ),
    episodes=40_000,
    batch=64,
    lr=5e-3,
)
CLUTTERED100 = replace(IMAGES, name="cluttered100", env=EnvConfig("ClutteredMNIST100-v0"))
# The paper's network, reward and optimizer. Ours remain: the advantage is scaled, the gradient clipped, the learning
# rate rises at first and falls along a cosine.
PAPER = replace(
    IMAGES,
    name="paper-cluttered",
    agent=AgentConfig.paper(),
    estimator="reinforce",
    discount=1.0,
    answer_weights="scored",
    optimizer="sgd",
    lr=1e-2,
    gaze_lr=1.0,
    batch=20,
)


def whole_image(name: str, base: Recipe, size: int, encoder: GlimpseKind, episodes: int) -> Recipe:
    """A control that sees the canvas of `base` at once: a single glimpse as large as the canvas."""
    env = replace(base.env, patch=size, scales=1, num_glimpses=1)
    ignored = ("time", "location")
    agent = AgentConfig(glimpse_encoder=encoder, channels=16, core="none", saccades="none", ignore=ignored)
    return replace(base, name=name, env=env, agent=agent, batch=128, episodes=episodes)


def whole_overview(name: str, base: Recipe, size: str, encoder: GlimpseKind, channels: int = 32) -> Recipe:
    """A control that sees the scenes of `base` at once, as an overview of this size, and no glimpse."""
    arguments = (*(text for text in base.env.arguments if not text.startswith("overview=")), f"overview={size}")
    env = replace(base.env, patch=1, scales=1, num_glimpses=1, arguments=arguments)
    ignored = ("glimpse", "location", "time")
    agent = AgentConfig(glimpse_encoder=encoder, channels=channels, core="none", saccades="none", ignore=ignored)
    return replace(base, name=name, env=env, agent=agent, optimizer="adam", lr=1e-3, led=0.0, led_end=None)


def reader(**options: Option) -> AgentConfig:
    """A reader of whole episodes that remembers by an episodic memory alone."""
    return AgentConfig(width=128, core="none", memory="episodic", memory_options=format_options(options))


def controlled(units: int, memory: str, **options: Option) -> AgentConfig:
    """An LSTM, as in Graves et al. 2014 and 2016, that writes and reads a memory."""
    return AgentConfig(width=units, core="lstm", memory=memory, memory_options=format_options(options))


BABI = Recipe(
    "babi-1k",
    EnvConfig("Babi-v0", arguments=("task=joint", "size=1k", "rename=True")),
    reader(slots=256, heads=4, hops=4, associations=3),
    episodes=800_000,
    batch=64,
    optimizer="muon",
    lr=3e-3,
    bucket_batches=32,
    oversample=3,
    max_grad_norm=1.0,
)
BABI_10K = replace(
    BABI,
    name="babi-10k",
    env=EnvConfig("Babi-v0", arguments=("task=joint", "size=10k", "rename=True")),
    episodes=1_000_000,
)


def multi_query_recall(name: str, length: int, pairs: int) -> Recipe:
    """Multi-query associative recall in the settings of Arora et al. 2023: width 64, two layers."""
    env = EnvConfig("MQAR-v0", arguments=(f"length={length}", f"pairs={pairs}"))
    agent = AgentConfig(
        width=64,
        core="none",
        memory="episodic",
        memory_options=(f"slots={length}", "width=64", "heads=1", "hops=2", "shared=False", "feedforward=0"),
    )
    return Recipe(name, env, agent, episodes=200_000, batch=64, lr=4e-3, max_grad_norm=1.0)


def sequence(name: str, id: str, agent: AgentConfig, episodes: int, lr: float) -> Recipe:
    """A task of Graves et al. 2014: a sequence at a time, which asks for the fewest sequences."""
    return Recipe(name, EnvConfig(id), agent, episodes=episodes, batch=1, lr=lr)


def memoryless(recipe: Recipe) -> Recipe:
    """A control: the recipe with an LSTM of the same width in place of its memory."""
    agent = AgentConfig(width=recipe.agent.width, core="lstm", memory="none")
    return replace(recipe, name=f"{recipe.name}-none", agent=agent)


GLIMPSES = {1: (3, 2, 100_000), 2: (6, 3, 120_000), 3: (10, 3, 120_000)}
"""Glimpses, scales of the periphery and episodes, by the task of bAbI."""

MAPS = {2: 24, 3: 32}
"""Lines of the map, by the task: for 99 of 100 questions, all that matters stands in the last 17 and 25 lines. Task 1
needs no map: its three glimpses, each remembered as it was seen, are enough."""


def hidden_story(task: int, gaze: str) -> Recipe:
    """A hidden story of bAbI's task, of which a few lines may be seen. The deviation is in lines.

    The stories are generated: 10,000 questions are known by heart before they are understood. A gaze that learns begins
    with an agent that can read already: one that cannot does not know what matters in a story.
    """
    glimpses, scales, episodes = GLIMPSES[task]
    lines = MAPS.get(task, 0)
    options = reader(slots=lines + 1 if lines else glimpses, heads=4, hops=3, associations=3)
    agent = StoryMapConfig(width=options.width, memory_options=options.memory_options, map_lines=lines)
    name = f"babi-gaze-{task}"
    recipe = Recipe(
        name if gaze == "learned" else f"{name}-{gaze}",
        EnvConfig("BabiGaze-v0", num_glimpses=glimpses, scales=scales, arguments=(f"task={task}", "size=100k")),
        agent if lines else replace(options, ignore=(), initial_saccade=-1.0),
        gaze,
        episodes,
        batch=128,
        optimizer="muon",
        lr=3e-3,
        answer_weights="scored" if lines else "later",
        std=0.7,
        max_grad_norm=1.0,
    )
    if gaze != "learned":
        return recipe
    learned = replace(recipe, lr=2e-3, gaze_lr=1.0, std_end=0.1)
    if not lines:
        return replace(learned, init_from=f"runs/pretrained/{name}-last.pt", discount=0.95)
    return replace(learned, init_from=f"runs/pretrained/{name}-scan.pt", episodes=episodes // 2, discount=1.0, std=0.5)


QUERIES = (
    multi_query_recall("mqar-64", 64, 4),
    multi_query_recall("mqar-128", 128, 8),
    multi_query_recall("mqar-256", 256, 16),
)
MQAR = (
    *QUERIES[:2],
    # Anew, it still answers by chance after 80,000 episodes.
    replace(QUERIES[2], init_from="runs/pretrained/mqar-128.pt", episodes=100_000, lr=2e-3),
)

RECALL = (
    BABI,
    *(hidden_story(task, gaze) for task in GLIMPSES for gaze in ("learned", "random", "last")),
    *(hidden_story(task, "scan") for task in MAPS),
    BABI_10K,
    *MQAR,
    *map(memoryless, (BABI, BABI_10K, *QUERIES)),
    *(
        sequence(f"{task}-{memory}", id, controlled(units, memory, **options), int(episodes * longer), lr / slower)
        for task, id, units, episodes, lr in (
            ("copy", "Copy-v0", 100, 12_000, 3e-3),
            ("recall", "AssociativeRecall-v0", 20, 30_000, 5e-3),
        )
        for memory, options, longer, slower in (
            ("ntm", {"slots": 128}, 1, 1),
            ("dnc", {"slots": 256, "width": 20, "reads": 1}, 1, 1),
            # At 3e-3 it does not learn to copy, and a second hop or a position-wise net makes it slower to.
            ("episodic", {"slots": 64, "width": 64, "hops": 1, "feedforward": 0, "time": "relative"}, 1.5, 3),
            ("hopfield", {"slots": 64, "width": 64}, 1, 1),
            ("none", {}, 1, 1),
        )
    ),
)


# Several questions about the same learned pictures: seeing those is most of what an episode costs. Of five ways, the
# agent begins to learn after some 1,600 episodes; without `alike` it is at chance after 3,000. So it is with several
# glimpses of a question, which are more like each other than like what was learned.
OMNIGLOT_ONE = Recipe(
    "omniglot-one",
    EnvConfig("Omniglot-v0", arguments=("query_glimpses=1", "rotate=True", "affine=1.0", "queries=10")),
    replace(reader(slots=64, heads=4, hops=2, alike=3), glimpse_encoder="blocks"),
    "centre",
    episodes=100_000,
    batch=32,
    optimizer="muon",
    lr=3e-3,
    max_grad_norm=1.0,
)
OMNIGLOT = replace(
    OMNIGLOT_ONE,
    name="omniglot",
    env=replace(OMNIGLOT_ONE.env, arguments=("query_glimpses=3", *OMNIGLOT_ONE.env.arguments[1:])),
    gaze="learned",
    lr=2e-3,
    answer_weights="later",
)
"""It is to begin with the weights of `omniglot-one`: `--init-from`."""


# Asked after its last glimpse, several times: the memory holds what was seen, and the question is one slot more.
SORT_OF_CLEVR_AFTER = Recipe(
    "sort-of-clevr-after",
    EnvConfig("SortOfCLEVR-v0", arguments=("ask=after", "queries=10")),
    replace(reader(slots=32, heads=4, hops=3), glimpse_encoder="patches"),
    episodes=1_000_000,
    batch=128,
    optimizer="muon",
    lr=3e-3,
    max_grad_norm=1.0,
)
SORT_OF_CLEVR = replace(
    SORT_OF_CLEVR_AFTER,
    name="sort-of-clevr",
    env=EnvConfig("SortOfCLEVR-v0"),
    answer_weights="later",
)


# Six questions about each walk. Where an image lies is imitated at first, as in `traffic-signs`.
GALLERY = Recipe(
    "gallery",
    EnvConfig("Gallery-v0", arguments=("questions=6",)),
    replace(reader(slots=64, heads=4, hops=3), glimpse_encoder="patches"),
    episodes=200_000,
    batch=64,
    optimizer="muon",
    lr=3e-3,
    estimator="reinforce",
    discount=1.0,
    led=0.5,
    led_end=0.0,
    max_grad_norm=1.0,
)


JOIN = Recipe(
    "join",
    EnvConfig("MODULE:ID"),
    AgentConfig(width=128, ignore=("location",)),
    episodes=100_000,
    batch=64,
    estimator="reinforce",
    discount=0.9,
    answer_weights="all",
    std=0.7,
    gaze_lr=1.0,
    max_grad_norm=1.0,
)
"""Anybody's environment; `runs.train --env ID` begins with it."""


def ap_gym(name: str, id: str, episodes: int, gaze: str = "learned", **changes: Any) -> Recipe:
    """An environment of Schneider et al. 2026 (`pip install ap_gym`)."""
    env = EnvConfig(f"ap_gym:{id}", move="action", predict="prediction", target="prediction.target")
    return replace(JOIN, name=name, env=env, episodes=episodes, gaze=gaze, **changes)


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        *RECALL,
        OMNIGLOT_ONE,
        OMNIGLOT,
        SORT_OF_CLEVR,
        SORT_OF_CLEVR_AFTER,
        *(
            replace(recipe, name=f"{recipe.name}-random", gaze="random")
            for recipe in (SORT_OF_CLEVR, SORT_OF_CLEVR_AFTER)
        ),
        GALLERY,
        replace(GALLERY, name="gallery-random", gaze="random", led=0.0, led_end=None),
        replace(GALLERY, name="gallery-none", agent=AgentConfig(width=256, core="lstm", glimpse_encoder="patches")),
        JOIN,
        ap_gym("circle-square", "CircleSquare-v0", 64_000, estimator="gain"),
        ap_gym("circle-square-random", "CircleSquare-v0", 64_000, "random", estimator="gain"),
        ap_gym("hide-and-seek", "CircleSquareHideAndSeek-v0", 32_000),
        ap_gym("hide-and-seek-random", "CircleSquareHideAndSeek-v0", 32_000, "random"),
        CLUTTERED,
        MNIST,
        replace(IMAGES, name="translated", env=EnvConfig("TranslatedMNIST-v0")),
        CLUTTERED100,
        FASHION,
        FASHION_CLUTTERED,
        TRAFFIC_SIGNS,
        ICONS,
        replace(ICONS, name="icons-random", gaze="random", led=0.0, led_end=None),
        whole_overview("icons-cnn", ICONS, "64", "deep_cnn", 16),
        replace(TRAFFIC_SIGNS, name="traffic-signs-random", gaze="random", led=0.0, led_end=None),
        whole_overview("traffic-signs-resnet-0.1", TRAFFIC_SIGNS, "(80, 136)", "resnet"),
        whole_overview("traffic-signs-resnet-0.3", TRAFFIC_SIGNS, "(240, 408)", "resnet"),
        replace(
            CLUTTERED, name="classify", env=EnvConfig("Classify-v0"), episodes=500_000, batch=128, edge_weight=10.0
        ),
        replace(CLUTTERED, name="cluttered-random", gaze="random"),
        replace(CLUTTERED100, name="cluttered100-random", gaze="random"),
        PAPER,
        whole_image("cnn-cluttered", IMAGES, 60, "deep_cnn", 500_000),
        whole_image("cnn-cluttered100", CLUTTERED100, 100, "deep_cnn", 500_000),
        whole_image("paper-cnn-cluttered", IMAGES, 60, "paper_cnn", 2_000_000),
        whole_image("paper-cnn-cluttered100", CLUTTERED100, 100, "paper_cnn", 2_000_000),
    )
}
