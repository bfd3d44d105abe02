"""The contract of a task: batched functions over arrays whose first dimension is the episode."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.path_metrics import fixation_entropy, saccade_length
from glimpse_env.retina import Retina
from glimpse_env.rng import Array, draw_words, uniform
from glimpse_env.tasks.copies import Remade
from glimpse_env.tasks.records import Outcome, Schedule, State, Story, Whole

GAZE_STREAM = 2
"""The random stream of the scripted gaze "random"; a task's episodes draw from others."""


class Task(Remade, ABC):
    """The rules of an episode. The environments (`GlimpseEnv`, `GlimpseVectorEnv`) know nothing else about a task.

    A subclass sets the first five attributes, and those of the others that differ from their defaults. It draws all
    random numbers from (seed, episode number), and keeps nothing but its settings: whatever changes during an episode
    is in the state, which the environments hold, copy and merge row by row. So copies of an environment share its task
    (`glimpse_env.tasks.copies`).

    Attributes:
        observation_space, action_space: flat `Dict` spaces of one episode.
        horizon: steps of the longest episode.
        roles: of each part of an observation, a key of `ROLES`.
        action_roles: of each part of an action, a key of `ACTION_ROLES`.
        interactive: False where observations do not depend on actions; then `whole` gives them all at once.
        judges: whether an answer that equals the target may be wrong, or another right: then `info["correct"]` says
            which are.
        answers_act: whether answers have effects beside being right or wrong, so that all of them matter.
        stops: whether an action may end an episode before its last step.
        one_answer: False where an earlier answer cannot stand for the last one: others are wanted at other steps, or the
            last fixation decides.
        twins: whether episodes 2 k and 2 k + 1, in order, differ in what decides alone, so that both should be right.
        max_answers: the most scored steps of an episode.
        answer_names: the names of the answers of a class; () where they have none.
        words: the words of the token ids; () where they have none.
        source: where the data of the episodes were found, in words; "" where episodes are made up.
        num_episodes: how many episodes show all of the split once; None where episodes are made up.
        shows_pictures: whether it takes anybody's pictures as its canvases.
        paths: arguments that may be paths.
        splits: values of the argument `split`; () where episodes are made up.
        variety: arguments for training alone.
        group_key, group_names: the key of `info` that groups episodes, and the names of its values from 0 on.
        group_families: values of it that are reported together, by a name of theirs.
        part_families: parts of an answer that are right or wrong together, by a name of theirs.
        episode_metrics: keys of the last step's `info` that an evaluation averages.
        gazes: the names of the scripted gazes.
        canvas_size: (height, width) in pixels; None without a canvas.
        image_size: (height, width) of the image to be recognised, of the largest where they differ; None without one.
        retina: of glimpses; None without them.
        schedule: which canvas is shown and which question asked at each step of the longest episode; None where there
            is one canvas.
        row_bytes: what an episode takes at the least: its canvas, and the table of its sums where it has one; 0
            without a canvas of its own.
    """

    observation_space: spaces.Dict
    action_space: spaces.Dict
    horizon: int
    roles: dict[str, str]
    action_roles: dict[str, str]
    interactive: bool = True
    judges: bool = False
    answers_act: bool = False
    stops: bool = False
    one_answer: bool = True
    twins: bool = False
    max_answers: int = 1
    answer_names: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    source: str = ""
    num_episodes: int | None = None
    shows_pictures: ClassVar[bool] = False
    paths: ClassVar[tuple[str, ...]] = ()
    splits: ClassVar[tuple[str, ...]] = ()
    variety: ClassVar[tuple[str, ...]] = ()
    group_key: str = ""
    group_names: tuple[str, ...] = ()
    group_families: ClassVar[dict[str, tuple[int, ...]]] = {}
    part_families: dict[str, tuple[int, ...]]
    episode_metrics: tuple[str, ...] = ()
    gazes: tuple[str, ...] = ()
    canvas_size: tuple[int, int] | None = None
    image_size: tuple[int, int] | None = None
    retina: Retina | None = None
    row_bytes: int = 0
    schedule: Schedule | None = None
    render_modes: tuple[str, ...] = ("rgb_array",)

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.part_families = {}

    @abstractmethod
    def begin(self, seeds: Array, episodes: Array) -> State:
        """The first state of the episodes (seed, episode number), both (N,) int64."""

    @abstractmethod
    def observe(self, state: State) -> dict[str, Array]:
        """The observation in `state`: fresh arrays, batched over the spaces of `observation_space`."""

    @abstractmethod
    def act(self, state: State, action: dict[str, Array]) -> Outcome:
        """The outcome of a valid batched action. `state` is used up: its arrays may be written to."""

    @abstractmethod
    def info(self, state: State) -> dict[str, Array]:
        """What `reset` returns beside the observation; (N, …) arrays, fresh copies."""

    @abstractmethod
    def render(self, state: State, row: int, mode: str) -> Any:
        """The frame (H, W, 3) uint8, or the text, of one row."""

    def lengths(self, seeds: Array, episodes: Array) -> Array:
        """How many steps the episodes (seed, episode number) have at most, without beginning them.

        Args:
            seeds, episodes: (N,) int64.

        Returns:
            (N,) int64 in [1, horizon]. Batches of similar lengths waste few steps.
        """
        return self.backend.xp.full_like(episodes, self.horizon)

    def groups(self, seeds: Array, episodes: Array) -> Array:
        """The group of each episode, (N,) int64 numbers of `group_names`, for seeds, episodes (N,) int64."""
        raise ValueError(f"the episodes of {type(self).__name__} have no groups")

    def whole(self, seeds: Array, episodes: Array, steps: int) -> Whole:
        """Whole episodes at once, where `interactive` is False.

        Args:
            seeds, episodes: (N,) int64.
            steps: T, from the length of the longest of them to `horizon`.

        Raises:
            ValueError: where observations depend on actions, or for a T out of range.
        """
        raise ValueError(f"the observations of {type(self).__name__} depend on the actions: step through its episodes")

    def check_steps(self, steps: int, length: Array) -> None:
        """Check the T of `whole`, as far as that waits for no device.

        Raises:
            ValueError: where it is out of range.
        """
        if not 1 <= steps <= self.horizon:
            raise ValueError(f"steps must be from 1 to the horizon {self.horizon}, got {steps}")
        if self.backend.on_host and bool((length > steps).any()):
            raise ValueError(f"steps={steps} is less than the longest of these episodes, {int(length.max())}")

    def gaze(self, name: str, seeds: Array, episodes: Array) -> Array:
        """The places of a scripted gaze: a pure function of (seed, episode number).

        Args:
            name: one of `gazes`; "random" is uniform, "centre" stays there, and "grid" goes through the cells of a grid
                of about as many as there are fixations after the first, row by row, in every episode.
            seeds, episodes: (N,) int64.

        Returns:
            (N, horizon - 1, D) float32 in [-1, 1]: the fixations after the first.

        Raises:
            ValueError: for another name.
        """
        if name not in self.gazes:
            known = f"is not one of {', '.join(self.gazes)}" if self.gazes else "is unknown: this task has none"
            hint = '; saccades="absolute" has' if "saccade" in self.action_roles.values() else ""
            raise ValueError(f"gaze {name!r} {known}{hint}")
        if name not in ("random", "centre", "grid"):
            return self.scripted(name, seeds, episodes)
        (part,) = (part for part, role in self.action_roles.items() if role == "place")
        (size,) = self.action_space[part].shape or ()
        xp, steps = self.backend.xp, self.horizon - 1
        if name == "random":
            numbers = uniform(draw_words(seeds, episodes, size * steps, GAZE_STREAM))
            return xp.reshape(numbers, (seeds.shape[0], steps, size)) * 2 - 1
        places = np.zeros((steps, size), np.float32) if name == "centre" else raster(steps, self.canvas_size or (1, 1))
        return xp.tile(self.backend.asarray(places)[None], (seeds.shape[0], 1, 1))

    def scripted(self, name: str, seeds: Array, episodes: Array) -> Array:
        """As `gaze`, for the names in `gazes` other than "random", "centre" and "grid"."""
        raise NotImplementedError(f"{type(self).__name__} names the gaze {name!r} and does not define it")

    def names(self) -> dict[str, tuple[str, ...]]:
        """What the numbers of words and answers stand for, as arguments that make another task number them alike."""
        return {}

    def path_metrics(self, path: np.ndarray, seeds: np.ndarray, episodes: np.ndarray) -> dict[str, float]:
        """What the paths of many episodes have in common, by TensorBoard tags.

        Args:
            path: (N, T, D) float32, fixations; the first is the environment's.
            seeds, episodes: (N,) int64.
        """
        return {"attention/saccade_length": saccade_length(path), "attention/entropy": fixation_entropy(path)}

    def canvas(self, seed: int, episode: int) -> np.ndarray | None:
        """The whole canvas of an episode, (H, W, C) uint8, which the agent never observes; None without one."""
        return None

    def target_boxes(self, seeds: Array, episodes: Array) -> Array | None:
        """(N, 4) int64 left, top, right, bottom in pixels of the image to be recognised, (N, K, 4) of several; None
        without one."""
        return None

    def walk_canvases(self, seed: int, episode: int) -> list[np.ndarray]:
        """The canvases of an episode that shows several, (H, W, C) uint8 each, by the numbers of its schedule; [] of
        any other."""
        return []

    def walk_labels(self, seed: int, episode: int) -> tuple[str, ...]:
        """What each of these canvases is called in questions, in turn; () where that is by its order alone."""
        return ()

    def schedule_of(self, seed: int, episode: int) -> Schedule | None:
        """The schedule of an episode, which may leave out steps of the longest one's."""
        return self.schedule

    def supports(self, seeds: Array, episodes: Array) -> Array | None:
        """(N, questions, canvases) bool, which canvases each answer rests on; None where that is not known."""
        return None

    def class_shapes(self) -> np.ndarray | None:
        """(K, h, w) float64 in [0, 1], the mean image of each class, zero where there is none; None without images.

        Nor are there any of images of many sizes, or of so many that they stay in their files.
        """
        return None

    def images_in_words(self) -> str:
        """How many images there are, of which sizes, and what they take; "images" where that is unknown."""
        return "images"

    def story(self, seeds: Array, episodes: Array) -> Story | None:
        """The stories of these episodes; None without them."""
        return None

    def cheap_controls(self) -> dict[str, float]:
        """Percent wrong of rules that need no agent, on all episodes of this split, by what they do; {} without any."""
        return {}

    def metadata(self) -> dict[str, Any]:
        """The part of the environments' `metadata` about this task, in plain values."""
        names = (
            *(
                "horizon",
                "roles",
                "action_roles",
                "interactive",
                "judges",
                "answers_act",
                "one_answer",
                "max_answers",
                "answer_names",
                "words",
            ),
            *("num_episodes", "group_key", "group_names", "group_families", "part_families"),
            *("episode_metrics", "gazes", "source"),
        )
        settings = {name: getattr(self, name) for name in names}
        even = type(self).lengths is Task.lengths  # all episodes are as long, but for those that an action ends
        return {
            "render_modes": list(self.render_modes),
            "names": self.names(),
            "even": even,
            **settings,
            **self.measures(),
        }

    def measures(self) -> dict[str, Any]:
        """Further metadata of a family of tasks: `glimpse_cell`, say."""
        return {}


def raster(count: int, size: tuple[int, int]) -> np.ndarray:
    """The middles (x, y) of the first `count` cells, (count, 2) float32 in [-1, 1], of a grid of about as many cells,
    which are about square on a canvas of this height and width; row by row."""
    rows = min(max(1, round(math.sqrt(count * size[0] / size[1]))), max(1, count))
    columns = max(1, math.ceil(count / rows))
    rows = max(1, math.ceil(count / columns))
    row, column = np.divmod(np.arange(count), columns)
    return np.stack([(2 * column + 1) / columns - 1, (2 * row + 1) / rows - 1], 1).astype(np.float32)


def box(low: float, high: float, shape: tuple[int, ...]) -> spaces.Box:
    """A float32 `Box` with the same bounds everywhere."""
    return spaces.Box(low, high, shape, np.float32)
