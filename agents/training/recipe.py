"""A recipe: everything that makes a training what it is."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Any, Literal

import tyro

from agents.config import AgentConfig
from agents.external_env import Names
from agents.loading import KINDS, kind_of
from agents.options import parse_options
from agents.story_map import StoryMapConfig

ANY_PICTURES = "Classify-v0"
"""The task that shows anybody's pictures to agents of those in `OWN_PICTURES`."""
OWN_PICTURES: dict[str, dict[str, Any]] = {"TrafficSigns-v0": {"num_glimpses": 6}}
"""Tasks that show no pictures but their own, and the arguments that they set otherwise than `ANY_PICTURES`."""


@dataclass(frozen=True)
class EnvConfig:
    """The environment, by its id, and what differs from the id's own settings (None: nothing)."""

    id: Annotated[str, tyro.conf.arg(aliases=("--env",))] = "ClutteredMNIST-v0"
    """Name under `Glimpse/`, or anybody's environment as Gymnasium knows it: `module:Name-v0`."""
    dataset: str | None = None
    """"mnist", "fashion_mnist" or "kmnist"."""
    images: str | None = None
    """Your own: an `.npz` file or a folder of class folders (for `Classify-v0`)."""
    resize: int | None = None
    """Longest side in pixels, to which larger images are shrunk; the side of the canvas where --fit scales to it."""
    fit: Literal["pad", "contain", "cover"] | None = None
    """How images go onto the canvas: at their own size, scaled to fit into it, or scaled to cover it."""
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

    def names(self) -> Names:
        """Which part of somebody else's environment is what."""
        return Names(self.observe, self.move, self.predict, self.target)

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
    agent: AgentConfig | StoryMapConfig = field(default_factory=AgentConfig)
    """The network."""
    gaze: str = "learned"
    """"learned", or a scripted gaze of the environment's, such as "random": a control trains the same network for
    it."""
    episodes: int = 2_000_000
    """Episodes to train on; the learning rate is annealed to zero over them."""
    batch: int = 512
    """Episodes of an update."""
    patience: int = 0
    """Validations without a new least error, of the twenty of a whole training, after which it ends; 0 is never. The
    learning rate has then not come to zero."""
    lr: float = 2e-3
    """Learning rate at its height."""
    gaze_lr: float = 0.5
    """Learning rate of the parameters that REINFORCE alone trains, as a share of `lr`."""
    std: float = 0.1
    """Standard deviation of the places around the policy's mean, at first."""
    std_end: float | None = None
    """The same at the end, towards which it falls evenly; None leaves it as it is."""
    edge_weight: float = 0.0
    """Weight of the squared distance by which the policy's mean lies beyond the canvas, which brings it back."""
    entropy_weight: float = 0.0
    """Weight of the entropy of what is drawn, places aside: a policy that is certain too soon tries nothing else."""
    led: float = 0.0
    """Share of the episodes in which the environment's oracle leads the gaze, up to `std`, at first. There the answer
    is learned from what is to be seen; in all others the policy learns by REINFORCE. In all of them it imitates the
    oracle as well, and that counts as much as this share."""
    led_end: float | None = None
    """The same at the end, towards which it falls evenly; None leaves it as it is."""
    unfound_weight: float = 1.0
    """Weight of the answers before a look met what the oracle looks at, those after it having 1 (with `led`). What was
    not seen yet can only be known by heart."""
    estimator: str = "gain"
    """What a step earns a policy, a row of `agents.training.estimators.ESTIMATORS`. "gain": what it adds to the
    log-likelihood of the target; "reinforce": the environment's own reward."""
    discount: float = 0.7
    """Of what later steps earn."""
    answer_signal: Literal["target", "reward"] = "target"
    """How answers are learned: by cross-entropy from the target, or by REINFORCE from the reward alone."""
    answer_weights: Literal["scored", "all", "later"] = "scored"
    """Which answers cross-entropy trains: those that are scored, all alike, or each by its number (the first glimpse
    cannot know much, and its errors would outweigh those that count)."""
    saliency_prior: str | None = None
    """File of a map of your own that draws the gaze in training (`runs.saliency_prior`): a grey image, or words with
    weights."""
    saliency_weight: float = 0.02
    """What a fixation of the map's brightest place earns; a certain answer is worth about 2.3 more than a guess."""
    max_grad_norm: float = 10.0
    """Largest norm of a gradient."""
    weight_decay: float = 0.0
    """Of the weights, decoupled (Adam and Muon)."""
    bucket_batches: int = 1
    """Batches whose episodes are drawn together and dealt out by length, so that those of a batch are alike."""
    oversample: int = 1
    """So many times the episodes of a bucket are drawn, and those of groups that go badly are read
    (`agents.training.curriculum`); 1 reads all."""
    optimizer: Literal["adam", "muon", "sgd"] = "adam"
    """"muon" takes orthogonal steps with hidden matrices (`agents.training.muon`), and Adam's with all else; "sgd" is
    the paper's: momentum 0.9."""
    init_from: str | None = None
    """File, or name, of an agent of the same spec whose weights the training begins with; None begins anew."""
    seed: int = 1
    """Of the weights, the scenes and the actions drawn."""

    def check(self) -> None:
        """Refuse numbers that nothing can be trained with.

        Raises:
            ValueError: for one out of its range, by its name.
        """
        least = {
            "episodes": 1,
            "batch": 1,
            "patience": 0,
            "bucket_batches": 1,
            "seed": 0,
            "gaze_lr": 0,
            "weight_decay": 0,
            "discount": 0,
            "edge_weight": 0,
            "entropy_weight": 0,
        }
        for name, low in least.items():
            if not low <= getattr(self, name) < math.inf:
                raise ValueError(f"--{name.replace('_', '-')} must be at least {low}, got {getattr(self, name)}")
        for name in ("lr", "std", "max_grad_norm"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"--{name.replace('_', '-')} must be above 0, got {getattr(self, name)}")
        if not 0 <= (self.std_end or 0) < math.inf:
            raise ValueError(f"--std-end must be at least 0, got {self.std_end}")
        for name in ("led", "led_end", "unfound_weight"):
            if not 0 <= (getattr(self, name) or 0) <= 1:
                raise ValueError(f"--{name.replace('_', '-')} is a share from 0 to 1, got {getattr(self, name)}")
        if self.episodes < self.batch:
            raise ValueError(f"--episodes {self.episodes} are less than one --batch of {self.batch}")

    def updates(self) -> int:
        """Number of updates."""
        return self.episodes // self.batch

    def deviation(self, update: int) -> float:
        """Standard deviation of the places drawn in an update."""
        return self.std if self.std_end is None else self.std + (self.std_end - self.std) * update / self.updates()

    def led_rows(self, update: int, rows: int) -> int:
        """How many of a process's rows the oracle leads in an update."""
        end = self.led if self.led_end is None else self.led_end
        return round(rows * (self.led + (end - self.led) * update / self.updates()))

    def by_return(self) -> bool:
        """Whether the best weights are those of the highest return, not of the least error."""
        return self.estimator == "reinforce" or self.answer_signal == "reward"

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for the checkpoint."""
        return {**asdict(self), "agent": {"kind": kind_of(self.agent), **asdict(self.agent)}}

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
            config = KINDS[agent.pop("kind")].config(**agent)
            return Recipe(**{**values, "env": EnvConfig(**env), "agent": config})
        except (TypeError, KeyError) as error:
            known = ", ".join(f.name for f in fields(Recipe))
            raise ValueError(f"the recipe in the checkpoint is of another version ({error}); known: {known}") from error
