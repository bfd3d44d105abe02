"""The single environment: a batch of one on NumPy."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from glimpse_env.backend import get_backend
from glimpse_env.episodes import EpisodeMethods, episode_numbers
from glimpse_env.free_memory import check_memory
from glimpse_env.saved_state import SavedStates
from glimpse_env.seeding import Seeding
from glimpse_env.sharing import SharedSpec, shared
from glimpse_env.tasks import TaskRow, make_task
from glimpse_env.tasks.actions import check_action


class GlimpseEnv(Seeding, SavedStates, SharedSpec, EpisodeMethods, gym.Env):
    """Any task of `TASKS` as a `gym.Env`: `gym.make("glimpse_env:Glimpse/ClutteredMNIST-v0")`.

    The task's own description (spaces, rewards, arguments) is this object's docstring: `print(env.unwrapped.__doc__)`.
    A copy (`copy.deepcopy`, `pickle`) goes on alike. Copies in one process share the data; a pickle has the task's
    arguments in its place, and reads it again.

    Args:
        name: that of a row of `TASKS`, or a row.
        render_mode: one of the task's render modes, or None.
        **kwargs: the task's arguments.
    """

    metadata = {"render_modes": ["rgb_array", "ansi"], "render_fps": 4}  # noqa: RUF012

    def __init__(self, name: str | TaskRow, *, render_mode: str | None = None, **kwargs: Any) -> None:
        self.task = make_task(name, get_backend("numpy"), **shared(kwargs))
        check_memory(self.task, 1)
        self.metadata = {**type(self).metadata, **self.task.metadata()}
        if render_mode is not None and render_mode not in self.task.render_modes:
            raise ValueError(f"render_mode must be one of {self.task.render_modes} or None, got {render_mode!r}")
        self.render_mode = render_mode
        self.observation_space = self.task.observation_space
        self.action_space = self.task.action_space
        self.__doc__ = type(self.task).__doc__
        self._start_seeding(1)
        self._state: dict[str, np.ndarray] | None = None
        self._ended = True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Begin an episode: the first of a new seed, the next of the present one, or number `options["episode"]`.

        Raises:
            ValueError: for an episode number that is negative or no integer.
        """
        chosen = (options or {}).get("episode")
        number = None if chosen is None else episode_numbers(chosen, ())
        super().reset(seed=seed)
        self._seed_rows(np.asarray([True]), [seed])
        self._episodes[:] = self._episodes + 1 if number is None else number
        self._state = self.task.begin(self._seeds.copy(), self._episodes.copy())
        self._ended = False
        return self._observation(), self._scalars(self.task.info(self._state))

    def step(self, action: dict[str, Any]) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """One action: `{"location": the next fixation, "answer": the present answer}` for the image tasks.

        Raises:
            RuntimeError: before `reset`, or after the episode ended.
            ValueError: for an action outside `action_space`, saying which part and why.
        """
        if self._state is None or self._ended:
            raise RuntimeError("the episode has ended or not begun: call reset() before step()")
        batch = {key: value[None] for key, value in check_action(self.task, action, ()).items()}
        outcome = self.task.act(self._state, batch)
        self._state, terminated = outcome.state, bool(outcome.terminated[0])
        info = self._scalars(outcome.info)
        if terminated:
            self._ended = True
            info["is_success"] = info["correct"]
        return self._observation(), float(outcome.reward[0]), terminated, False, info

    def render(self) -> Any:
        """The frame (H, W, 3) uint8 or the text of the episode so far, by `render_mode`."""
        if self.render_mode is None:
            mode = self.task.render_modes[0]
            gym.logger.warn(f'render() draws nothing: make the environment with render_mode="{mode}"')
            return None
        if self._state is None:
            raise RuntimeError("nothing to render: call reset() first")
        return self.task.render(self._state, 0, self.render_mode)

    @property
    def np_random_seed(self) -> int:
        """The seed of the present episodes, drawn where none was given: `reset(seed=…)` with it begins them again."""
        return super().np_random_seed[0]

    def _observation(self) -> dict[str, np.ndarray]:
        assert self._state is not None
        return {key: value[0] for key, value in self.task.observe(self._state).items()}

    @staticmethod
    def _scalars(info: dict[str, np.ndarray]) -> dict[str, Any]:
        return {key: value[0].item() if value.ndim == 1 else value[0] for key, value in info.items()}


class PictureEnv(GlimpseEnv):
    """A task that draws frames and no text: `gym.make` asks the class for its modes, before there is an object."""

    metadata = {**GlimpseEnv.metadata, "render_modes": ["rgb_array"]}  # noqa: RUF012


class TextEnv(GlimpseEnv):
    """A task that writes text and draws no frames."""

    metadata = {**GlimpseEnv.metadata, "render_modes": ["ansi"]}  # noqa: RUF012
