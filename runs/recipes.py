"""Recipes: everything that makes a training what it is, by name."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Annotated, Any, Literal

import tyro

from agents import AgentConfig, CNNConfig, Names
from agents.options import Option, format_options, parse_options
from glimpse_env.tasks import TASKS

Gaze = Literal["learned", "random", "last"]


@dataclass(frozen=True)
class EnvConfig:
    """The environment, by its id, and what differs from the id's own settings (None: nothing)."""

    id: Annotated[str, tyro.conf.arg(aliases=("--env",))] = "ClutteredMNIST-v0"
    """Name under `Glimpse/`, or anybody's environment as Gymnasium knows it: `module:Name-v0`."""
    dataset: str | None = None
    """"mnist", "fashion_mnist" or "kmnist"."""
    images: str | None = None
    """Your own: an `.npz` file or a folder of class folders (for `Classify-v0`)."""
    num_glimpses: int | None = None
    """Glimpses of an episode."""
    patch: int | None = None
    """Size of a patch."""
    scales: int | None = None
    """Patches of a glimpse."""
    size: int | None = None
    """Size of the canvas in pixels."""
    pieces: int | None = None
    """Number of distractors."""
    start: Literal["centre", "random", "last"] | None = None
    """The first fixation."""
    overhang: int | None = None
    """How far, in pixels, the image may stick out of the canvas. In training alone: never in validation or test."""
    arguments: tuple[str, ...] = ()
    """Any others that the task takes, as `task=3 size=10k`."""

    observe: tuple[str, ...] = ()
    """Of anybody's environment: parts of the observation to see; none is all."""
    move: str = ""
    """Of anybody's environment: the part of the action that moves."""
    predict: str = ""
    """Of anybody's environment: the part of the action that answers."""
    target: str = ""
    """Of anybody's environment: where `info` holds the right class, such as prediction.target; empty: nowhere."""

    def foreign(self) -> bool:
        """Whether this is somebody else's environment."""
        return self.id not in TASKS

    def names(self) -> Names:
        """Which part of somebody else's environment is what."""
        return Names(self.observe, self.move, self.predict, self.target)

    def glimpses(self) -> int:
        """Glimpses of an episode."""
        return self.num_glimpses or TASKS[self.id].kwargs["num_glimpses"]

    def kwargs(self) -> dict[str, Any]:
        """The keyword arguments for `gym.make_vec`."""
        values = {key: value for key, value in asdict(self).items() if key not in ("id", "arguments", *Names._fields)}
        return {**{key: value for key, value in values.items() if value is not None}, **parse_options(self.arguments)}


@dataclass(frozen=True)
class Recipe:
    """A training. Its fields are the options of `python -m runs.train`."""

    name: str = "cluttered"
    """Also the name of the weight file."""
    env: EnvConfig = field(default_factory=EnvConfig)
    """The environment."""
    agent: AgentConfig | CNNConfig = field(default_factory=AgentConfig)
    """The network."""
    gaze: Gaze = "learned"
    """Controls train the same network for uniform fixations ("random"), or for the last lines of a story ("last")."""
    episodes: int = 2_000_000
    """Episodes to train on; the learning rate is annealed to zero over them."""
    batch: int = 512
    """Episodes of an update."""
    lr: float = 2e-3
    """Learning rate (Adam) at its height."""
    gaze_lr: float = 0.5
    """Learning rate of the gaze's own parameters, as a share of `lr`."""
    std: float = 0.1
    """Standard deviation of the locations around the policy's mean."""
    reward: Literal["gain", "final", "environment"] = "gain"
    """"gain": at every glimpse, the gain in log-likelihood of the truth; "final": 1 for a right last answer;
    "environment": what somebody else's environment gives."""
    discount: float = 0.7
    """Of the gains to come."""
    answers: Literal["all", "later", "last"] = "later"
    """Which glimpses' answers cross-entropy trains: all alike, each by its number (the first glimpse cannot know much,
    and its errors would outweigh those that count), or the last alone."""
    guide: str | None = None
    """File of a map of your own that draws the gaze in training (`runs.guide`): a grey image, or words with weights."""
    guide_weight: float = 0.02
    """What a look at the brightest place of the guide earns; a certain answer is worth about 2.3 more than a guess."""
    learn: Literal["target", "reward"] = "target"
    """How answers are learned: by cross-entropy from the target, or by REINFORCE from the reward alone."""
    clip: float = 10.0
    """Largest norm of a gradient."""
    weight_decay: float = 0.0
    """Of the weights, decoupled (Adam only)."""
    pool: int = 1
    """Batches whose episodes are drawn together and dealt out by length, so that those of a batch are alike."""
    optimizer: Literal["adam", "sgd"] = "adam"
    """"sgd" is the paper's: momentum 0.9."""
    seed: int = 1
    """Of the weights, the scenes and the locations drawn."""

    def updates(self) -> int:
        """Number of updates."""
        return max(1, self.episodes // self.batch)

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for the checkpoint."""
        kind = "cnn" if isinstance(self.agent, CNNConfig) else "attention"
        return {**asdict(self), "agent": {"kind": kind, **asdict(self.agent)}}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Recipe:
        """The recipe of a checkpoint.

        Raises:
            ValueError: where it has fields that this version does not know.
        """
        try:
            agent: dict[str, Any]
            env: dict[str, Any]
            agent, env = (
                {key: tuple(value) if isinstance(value, list) else value for key, value in values[part].items()}
                for part in ("agent", "env")
            )
            config = {"attention": AgentConfig, "cnn": CNNConfig}[agent.pop("kind")](**agent)
            return Recipe(**{**values, "env": EnvConfig(**env), "agent": config})
        except (TypeError, KeyError) as error:
            known = ", ".join(f.name for f in fields(Recipe))
            raise ValueError(f"the recipe in the checkpoint is of another version ({error}); known: {known}") from error


CLUTTERED = Recipe()
# Without a periphery the gaze learns more slowly; without an overhang the 55,000 images are soon known by heart (0.8 %
# error in training, 3 % in validation).
MNIST = replace(
    CLUTTERED,
    name="mnist",
    env=EnvConfig("MNIST-v0", overhang=2),
    agent=AgentConfig(where_hidden=64),
    episodes=14_000_000,
    std=0.15,
    gaze_lr=1.0,
)
CLUTTERED100 = replace(CLUTTERED, name="cluttered100", env=EnvConfig("ClutteredMNIST100-v0"))
# The paper's network, reward and optimizer. Ours remain: the advantage is scaled, the gradient clipped, the learning
# rate rises at first and falls along a cosine.
PAPER = replace(
    CLUTTERED,
    name="paper-cluttered",
    agent=AgentConfig.paper(),
    reward="final",
    discount=1.0,
    answers="last",
    optimizer="sgd",
    lr=1e-2,
    gaze_lr=1.0,
    batch=20,
)


def whole_image(name: str, base: Recipe, size: int, net: CNNConfig, episodes: int) -> Recipe:
    """A control that sees the canvas of `base` at once: a single glimpse as large as the canvas."""
    env = replace(base.env, patch=size, scales=1, num_glimpses=1)
    return replace(base, name=name, env=env, agent=net, batch=128, episodes=episodes)


def reader(**options: Option) -> AgentConfig:
    """A reader of whole episodes that remembers by an episodic memory alone."""
    return AgentConfig(width=128, core="none", memory="episodic", memory_options=format_options(options))


def controlled(memory: str, width: int = 100, **options: Option) -> AgentConfig:
    """An LSTM, as in Graves et al. 2014 and 2016, that writes and reads a memory."""
    return AgentConfig(width=width, core="lstm", memory=memory, memory_options=format_options(options))


BABI = Recipe(
    "babi-1k",
    EnvConfig("Babi-v0", arguments=("task=joint", "size=1k", "rename=True")),
    reader(slots=256, heads=4, hops=4, associations=3),
    episodes=800_000,
    batch=64,
    lr=1e-3,
    pool=32,
    clip=1.0,
)
BABI_10K = replace(BABI, name="babi-10k", env=EnvConfig("Babi-v0", arguments=("task=joint", "size=10k", "rename=True")))


def look_up(name: str, length: int, pairs: int) -> Recipe:
    """Multi-query associative recall in the settings of Arora et al. 2023: width 64, two layers."""
    env = EnvConfig("MQAR-v0", arguments=(f"length={length}", f"pairs={pairs}"))
    agent = AgentConfig(
        width=64,
        core="none",
        memory="episodic",
        memory_options=(f"slots={length}", "width=64", "heads=1", "hops=2", "shared=False", "feedforward=0"),
    )
    return Recipe(name, env, agent, episodes=200_000, batch=64, lr=4e-3, clip=1.0)


def sequence(name: str, id: str, agent: AgentConfig, episodes: int) -> Recipe:
    """A task of Graves et al. 2014: small batches, whose episodes are of about one length."""
    return Recipe(name, EnvConfig(id), agent, episodes=episodes, batch=4, lr=3e-3, pool=16)


LOOKS = {1: (3, 2), 2: (6, 3), 3: (10, 3)}
"""Glimpses, and scales of the periphery, by the task of bAbI."""


def look(task: int, glimpses: int, scales: int, gaze: Gaze = "learned") -> Recipe:
    """A hidden story of bAbI's task, of which a few lines may be looked at. The deviation is in lines."""
    env = EnvConfig(
        "BabiGaze-v0", num_glimpses=glimpses, scales=scales, arguments=(f"task={task}", "size=10k", "rename=True")
    )
    agent = AgentConfig(
        width=128, core="none", memory="episodic", memory_options=(f"slots={glimpses}", "hops=2", "heads=4")
    )
    name = f"babi-gaze-{task}" + ("" if gaze == "learned" else f"-{gaze}")
    return Recipe(name, env, agent, gaze, episodes=300_000, batch=256, lr=1e-3, gaze_lr=1.0, std=1.0, clip=1.0)


RECALL = (
    BABI,
    *(look(task, *form, gaze) for task, form in LOOKS.items() for gaze in ("learned", "random", "last")),
    BABI_10K,
    look_up("mqar-64", 64, 4),
    look_up("mqar-128", 128, 8),
    look_up("mqar-256", 256, 16),
    *(
        sequence(f"{task}-{memory}", id, controlled(memory, **options), episodes)
        for task, id, episodes in (("copy", "Copy-v0", 17_000), ("recall", "AssociativeRecall-v0", 30_000))
        for memory, options in (
            ("ntm", {"slots": 128, "width": 20}),
            ("dnc", {"slots": 64, "width": 20, "reads": 1}),
            ("none", {}),
        )
    ),
)


JOIN = Recipe(
    "join",
    EnvConfig("MODULE:ID"),
    AgentConfig(width=128),
    episodes=100_000,
    batch=64,
    reward="environment",
    discount=0.9,
    answers="all",
    std=0.7,
    gaze_lr=1.0,
    clip=1.0,
)
"""Anybody's environment; `runs.train --env ID` begins with it."""


def ap_gym(name: str, id: str, episodes: int, gaze: Gaze = "learned", **changes: Any) -> Recipe:
    """An environment of Schneider et al. 2026 (`pip install ap_gym`)."""
    env = EnvConfig(f"ap_gym:{id}", move="action", predict="prediction", target="prediction.target")
    return replace(JOIN, name=name, env=env, episodes=episodes, gaze=gaze, **changes)


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        *RECALL,
        JOIN,
        ap_gym("circle-square", "CircleSquare-v0", 64_000, reward="gain"),
        ap_gym("circle-square-random", "CircleSquare-v0", 64_000, "random", reward="gain"),
        ap_gym("hide-and-seek", "CircleSquareHideAndSeek-v0", 32_000),
        ap_gym("hide-and-seek-random", "CircleSquareHideAndSeek-v0", 32_000, "random"),
        CLUTTERED,
        MNIST,
        replace(CLUTTERED, name="translated", env=EnvConfig("TranslatedMNIST-v0")),
        CLUTTERED100,
        replace(CLUTTERED, name="classify", env=EnvConfig("Classify-v0"), episodes=500_000, batch=128),
        replace(CLUTTERED, name="cluttered-random", gaze="random"),
        replace(CLUTTERED100, name="cluttered100-random", gaze="random"),
        PAPER,
        whole_image("cnn-cluttered", CLUTTERED, 60, CNNConfig("deep", width=16), 500_000),
        whole_image("cnn-cluttered100", CLUTTERED100, 100, CNNConfig("deep", width=16), 500_000),
        whole_image("paper-cnn-cluttered", CLUTTERED, 60, CNNConfig("paper"), 2_000_000),
        whole_image("paper-cnn-cluttered100", CLUTTERED100, 100, CNNConfig("paper"), 2_000_000),
    )
}
