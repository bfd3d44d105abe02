"""The vector environment: one batched task, on NumPy or torch, in all three autoreset modes."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from glimpse_env.backend import as_numpy, get_backend
from glimpse_env.env import GlimpseEnv
from glimpse_env.episodes import EpisodeMethods, episode_numbers
from glimpse_env.free_memory import check_memory
from glimpse_env.rng import Array
from glimpse_env.saved_state import SavedStates
from glimpse_env.seeding import Seeding
from glimpse_env.sharing import SharedSpec, shared
from glimpse_env.tasks import TaskRow, make_task
from glimpse_env.tasks.actions import check_action


class GlimpseVectorEnv(Seeding, SavedStates, SharedSpec, EpisodeMethods, VectorEnv):
    """Any task of `TASKS`, N episodes at a time: `gym.make_vec("glimpse_env:Glimpse/MNIST-v0", num_envs=4096)`.

    Equals `SyncVectorEnv` over N single environments bit for bit: sub-environment i of seed s has seed s + i. With
    `backend="torch"` actions, observations, rewards, flags and infos are tensors on `device`, and `final_obs`
    ("SameStep" mode) is one dict of batched tensors. "Disabled" mode with torch waits for the device in no step: rows
    that have ended may be stepped on (they earn nothing and stay ended), and every key of infos is there in every step,
    with a mask. On a GPU the ranges of actions are not checked.

    Gymnasium's vector wrappers work as over `SyncVectorEnv`. Over torch, those that compute by NumPy raise at their
    first step (a wrapper that is being made does not ask for the kind of arrays): `RecordEpisodeStatistics`,
    `NormalizeReward`, `DictInfoToList`, `VectorizeTransformAction`, observation wrappers that leave the space as it is,
    and those that flatten observations of words (after a `DeprecationWarning` of NumPy); `ClipReward` warns only. Over
    `gymnasium.wrappers.vector.ArrayConversion(env, env_xp=torch, target_xp=numpy)` they work. Other observation
    wrappers but `TransformObservation` return NumPy arrays.

    Args:
        name: that of a row of `TASKS`, or a row.
        num_envs: N, the number of episodes side by side.
        autoreset_mode: "NextStep" (Gymnasium's default), "SameStep" or "Disabled" (reset by mask).
        render_mode: one of the task's render modes, or None.
        backend: "numpy" or "torch".
        device: a torch device; None is the CPU.
        **kwargs: the task's arguments.
    """

    metadata = GlimpseEnv.metadata

    def __init__(
        self,
        name: str | TaskRow,
        num_envs: int = 1,
        *,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        backend: str = "numpy",
        device: str | None = None,
        **kwargs: Any,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, got {num_envs}")
        self.backend = get_backend(backend, device)
        self.task = make_task(name, self.backend, **shared(kwargs))
        check_memory(self.task, num_envs)
        if render_mode is not None and render_mode not in self.task.render_modes:
            raise ValueError(f"render_mode must be one of {self.task.render_modes} or None, got {render_mode!r}")
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**type(self).metadata, **self.task.metadata(), "autoreset_mode": self.autoreset_mode}
        self.single_observation_space = self.task.observation_space
        self.single_action_space = self.task.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.__doc__ = type(self.task).__doc__
        self._start_seeding(num_envs)
        self._state: dict[str, Array] | None = None
        self._ended: Array = self._flags(True)
        self._steps_on = self.backend.name == "torch" and self.autoreset_mode == AutoresetMode.DISABLED

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        """Begin an episode in every row, or in those that `options["reset_mask"]` (N,) bool marks.

        Args:
            seed: s seeds row i with s + i; a list seeds each row, None in it leaves that row's seed; None continues.
            options: `reset_mask`, and `episode`: an episode number, or (N,) of them, to begin in place of the next.

        Raises:
            ValueError: for seeds, a mask or episode numbers of another length, negative ones, or a mask with no row.
            TypeError: for a mask that is not boolean.
            RuntimeError: for a first reset that leaves rows out.
        """
        options = options or {}
        mask = self._check_mask(options.get("reset_mask"))
        seeds = self._check_seeds(seed)
        episode = options.get("episode")
        numbers = None if episode is None else episode_numbers(episode, (self.num_envs,))
        if self._state is None and not mask.all():
            raise RuntimeError("the first reset must begin every row: call reset() without a mask")
        with self.backend.normal_mode():
            return self._reset(seed, seeds, mask, numbers)

    def _reset(
        self, seed: Any, seeds: list[int | None], mask: np.ndarray, numbers: np.ndarray | None
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        super().reset(seed=int(seed) if isinstance(seed, (int, np.integer)) else None)
        self._seed_rows(mask, seeds)
        self._begin(mask, numbers)
        began, state = self.backend.asarray(mask), self._state_now()
        return self.task.observe(state), self._add_info({}, self.task.info(state), began)

    def step(self, actions: dict[str, Array]) -> tuple[dict[str, Array], Array, Array, Array, dict[str, Any]]:
        """One action a row, `{"location": (N, 2), "answer": (N,)}` for the image tasks.

        Returns:
            Observations; rewards (N,), float64 on NumPy as Gymnasium's, float32 on torch; terminations and truncations
            (N,) bool; infos with a mask `_key` for each key.

        Raises:
            RuntimeError: before `reset`, or in "Disabled" mode where a row has ended.
            ValueError: for an action outside `action_space`, saying which part and why.
        """
        with self.backend.normal_mode():
            return self._step(actions)

    def _step(self, actions: dict[str, Array]) -> tuple[dict[str, Array], Array, Array, Array, dict[str, Any]]:
        state, xp, mode = self._state_now(), self.backend.xp, self.autoreset_mode
        over, alive = self._ended, ~self._ended
        all_alive = mode == AutoresetMode.DISABLED and self.backend.on_host and not bool(xp.any(over))
        if mode == AutoresetMode.DISABLED and not (all_alive or self._steps_on):
            raise RuntimeError('an episode has ended: call reset(options={"reset_mask": ended rows}) before step()')
        outcome = self.task.act(state, check_action(self.task, actions, (self.num_envs,)))
        self._state, self._ended = outcome.state, over | outcome.terminated
        reward = outcome.reward if all_alive else xp.where(over, 0.0, outcome.reward)
        ended = outcome.terminated & alive
        infos: dict[str, Any] = {}
        success = {"is_success": outcome.info["correct"]}
        if mode == AutoresetMode.SAME_STEP:
            self._add_info(infos, outcome.info, ~ended)
            if bool(xp.any(ended)):
                infos["final_obs"], infos["_final_obs"] = self._final_observations(ended), xp.asarray(ended, copy=True)
                infos["final_info"] = self._add_info({}, {**outcome.info, **success}, ended)
                infos["_final_info"] = xp.asarray(ended, copy=True)
            self._begin_next(ended, infos)
        else:
            self._add_info(infos, outcome.info, alive, all_rows=all_alive)
            self._add_info(infos, success, ended)
            if mode == AutoresetMode.NEXT_STEP:
                self._begin_next(over, infos)
        if self.backend.name == "numpy":
            reward = reward.astype(np.float64)
        return self.task.observe(self._state), reward, ended, self._flags(False), infos

    def render(self) -> tuple[Any, ...] | None:
        """A frame or text of each row, by `render_mode`."""
        if self.render_mode is None:
            return None
        return tuple(self.task.render(self._state_now(), row, self.render_mode) for row in range(self.num_envs))

    def canvases(self) -> np.ndarray:
        """The whole canvases, (N, H, W, C) uint8 on the host, which no agent observes: for pictures and controls.

        Raises:
            TypeError: for a task without a canvas.
        """
        numbers = zip(self._seeds.tolist(), self._episodes.tolist(), strict=True)
        canvases = [self.task.canvas(seed, episode) for seed, episode in numbers]
        if canvases[0] is None:
            raise TypeError(f"{type(self.task).__name__} has no canvas: it shows no image")
        return np.asarray(canvases)

    def _check_mask(self, mask: Any) -> np.ndarray:
        """The rows to begin, (N,) bool; all of them where there is no mask."""
        if mask is None:
            return np.ones(self.num_envs, dtype=np.bool_)
        mask = as_numpy(mask)
        if mask.dtype != np.bool_:
            raise TypeError(f"options['reset_mask'] must be boolean, got {mask.dtype}")
        if mask.shape != (self.num_envs,) or not mask.any():
            raise ValueError(f"options['reset_mask'] must be ({self.num_envs},) with at least one True, got {mask}")
        return mask

    def _check_seeds(self, seed: Any) -> list[int | None]:
        """The new seed of each row, None where it keeps its own."""
        if seed is None:
            return [None] * self.num_envs
        seeds = [seed + row for row in range(self.num_envs)] if isinstance(seed, (int, np.integer)) else list(seed)
        if len(seeds) != self.num_envs:
            raise ValueError(f"{len(seeds)} seeds for {self.num_envs} environments: pass one each, or one number")
        for number in seeds:
            if number is not None and (not isinstance(number, (int, np.integer)) or number < 0):
                raise ValueError(f"a seed must be an integer of at least 0, got {number!r}")
        return seeds

    def _begin(self, mask: np.ndarray, numbers: np.ndarray | None = None) -> None:
        """Begin the next episode, or the one of these numbers (N,), in the rows of `mask`; the others stay."""
        rows = np.flatnonzero(mask)
        self._episodes[rows] = self._episodes[rows] + 1 if numbers is None else numbers[rows]
        new = self.task.begin(self.backend.asarray(self._seeds[rows]), self.backend.asarray(self._episodes[rows]))
        if self._state is None or len(rows) == self.num_envs:
            self._state, self._ended = new, self._flags(False)
            return
        index = self.backend.asarray(rows)
        for key, value in new.items():
            self._state[key][index] = value
        self._ended[index] = False

    def _begin_next(self, ended: Array, infos: dict[str, Any]) -> None:
        """Begin the next episode in the rows that ended, and add its info."""
        mask = self.backend.to_numpy(ended)
        if mask.any():
            self._begin(mask)
            self._add_info(infos, self.task.info(self._state_now()), ended)

    def _final_observations(self, ended: Array) -> Any:
        """Last observations of the rows that ended: Gymnasium's (N,) of dicts and None; with torch a dict of (N, …)."""
        observations = self.task.observe(self._state_now())
        if self.backend.name == "torch":
            return observations
        final = np.full(self.num_envs, None, dtype=object)
        for row in np.flatnonzero(ended):
            final[row] = {key: value[row].copy() for key, value in observations.items()}
        return final

    def _add_info(
        self, infos: dict[str, Any], info: dict[str, Array], rows: Array, *, all_rows: bool = False
    ) -> dict[str, Any]:
        """Add `info` of the rows (N,) bool to Gymnasium's vector infos: zero where none was, masks under `_key`.

        With `all_rows`, `rows` are all True and no mask is applied.
        """
        xp = self.backend.xp
        if not (all_rows or self._steps_on or bool(xp.any(rows))):
            return infos  # Gymnasium leaves out what no row has
        for key, value in info.items():
            if not all_rows:
                where = xp.reshape(rows, (self.num_envs, *[1] * (value.ndim - 1)))
                value = xp.where(where, value, infos[key] if key in infos else xp.zeros_like(value))
            infos[key] = value
            infos[f"_{key}"] = infos.get(f"_{key}", False) | rows
        return infos

    def _flags(self, value: bool) -> Array:
        xp = self.backend.xp
        return xp.full((self.num_envs,), value, dtype=xp.bool, device=self.backend.device)

    def _state_now(self) -> dict[str, Array]:
        if self._state is None:
            raise RuntimeError("call reset() first")
        return self._state
