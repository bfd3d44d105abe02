"""Stories and sequences: what is recalled of what was read."""

from __future__ import annotations

from dataclasses import replace

from agents import AgentConfig, StoryMapConfig
from agents.options import Option, format_options
from agents.training.recipe import EnvConfig, Recipe


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

RECALL_RECIPES = (
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
