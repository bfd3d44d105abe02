"""A recipe: everything that makes a training what it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Any, Literal

import tyro

from agents import AgentConfig, CNNConfig, Names
from agents.options import parse_options
from glimpse_env.tasks import TASKS

Gaze = Literal["learned", "random", "last", "scan"]


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
    """Controls train the same network for uniform fixations ("random"), or, of a story, for the last lines
    ("last") or every second line from the last one on ("scan")."""
    episodes: int = 2_000_000
    """Episodes to train on; the learning rate is annealed to zero over them."""
    batch: int = 512
    """Episodes of an update."""
    lr: float = 2e-3
    """Learning rate at its height."""
    gaze_lr: float = 0.5
    """Learning rate of the gaze's own parameters, as a share of `lr`."""
    std: float = 0.1
    """Standard deviation of the locations around the policy's mean, at first."""
    std_end: float | None = None
    """The same at the end, towards which it falls evenly; None leaves it as it is."""
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
    """Of the weights, decoupled (Adam and Muon)."""
    pool: int = 1
    """Batches whose episodes are drawn together and dealt out by length, so that those of a batch are alike."""
    choose: int = 1
    """So many times the episodes of a pool are drawn, and those of tasks that go badly are read (`runs.curriculum`); 1
    reads all."""
    optimizer: Literal["adam", "muon", "sgd"] = "adam"
    """"muon" takes orthogonal steps with hidden matrices (`runs.muon`), and Adam's with all else; "sgd" is the paper's:
    momentum 0.9."""
    begin: str | None = None
    """File of an agent of the same form whose weights the training begins with; None begins anew."""
    seed: int = 1
    """Of the weights, the scenes and the locations drawn."""

    def updates(self) -> int:
        """Number of updates."""
        return max(1, self.episodes // self.batch)

    def deviation(self, update: int) -> float:
        """Standard deviation of the locations drawn in an update."""
        return self.std if self.std_end is None else self.std + (self.std_end - self.std) * update / self.updates()

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
