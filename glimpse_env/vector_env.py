"""The vector environment: one batched task, on NumPy or torch, in all three autoreset modes."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from glimpse_env.backend import get_backend
from glimpse_env.draws import Array
from glimpse_env.env import MAX_SEED, GlimpseEnv
from glimpse_env.tasks import make_task


class GlimpseVectorEnv(VectorEnv):
    """Any task of `TASKS`, N episodes at a time: `gym.make_vec("glimpse_env:Glimpse/MNIST-v0", num_envs=4096)`.

    Equals `SyncVectorEnv` over N single environments bit for bit: sub-environment i of seed s has seed s + i. With
    `backend="torch"` actions, observations, rewards, flags and infos are tensors on `device` and nothing else
    differs, but that `final_obs` (same-step mode) is one dict of batched tensors.

    Args:
        task: the name of a row of `TASKS`.
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
        task: str,
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
        self.task = make_task(task, self.backend, **kwargs)
        if render_mode is not None and render_mode not in self.task.render_modes:
            raise ValueError(f"render_mode must be one of {self.task.render_modes} or None, got {render_mode!r}")
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {
            **type(self).metadata,
            "render_modes": list(self.task.render_modes),
            "horizon": self.task.horizon,
            "autoreset_mode": self.autoreset_mode,
        }
        self.single_observation_space = self.task.observation_space
        self.single_action_space = self.task.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.__doc__ = type(self.task).__doc__
        self._seeds = np.full(num_envs, -1, dtype=np.int64)  # -1: not seeded yet
        self._episodes = np.full(num_envs, -1, dtype=np.int64)
        self._state: dict[str, Array] | None = None
        self._ended: Array = self._flags(True)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        """Begin an episode in every row, or in those that `options["reset_mask"]` (N,) bool marks.

        Args:
            seed: s seeds row i with s + i; a list seeds each row, None in it leaves that row's seed; None continues.
            options: `reset_mask`, and `episode`: an episode number, or (N,) of them, to begin in place of the next.

        Raises:
            ValueError: for seeds, a mask or episode numbers of another length, or a mask with no row.
            TypeError: for a mask that is not boolean.
        """
        options = options or {}
        rows = self._masked_rows(options["reset_mask"]) if "reset_mask" in options else np.arange(self.num_envs)
        super().reset(seed=seed if isinstance(seed, int) else None)
        self._seed_rows(seed, rows)
        if "episode" in options:
            numbers = np.broadcast_to(np.asarray(options["episode"], dtype=np.int64), (self.num_envs,))
            self._episodes[rows] = numbers[rows]
        else:
            self._episodes[rows] += 1
        self._begin(rows)
        began = self._flags(False)
        began[rows] = True
        return self.task.observe(self._state_now()), self._with_masks(self.task.info(self._state_now()), began)

    def step(self, actions: dict[str, Array]) -> tuple[dict[str, Array], Array, Array, Array, dict[str, Any]]:
        """One action a row, `{"location": (N, 2), "answer": (N,)}` for the image tasks.

        Returns:
            Observations; rewards (N,), float64 on NumPy as Gymnasium's, float32 on torch; terminations and truncations
            (N,) bool; infos with a mask `_key` for each key.

        Raises:
            RuntimeError: before `reset`, or in "Disabled" mode where a row has ended.
            ValueError: for an action outside `action_space`, saying which part and why.
        """
        state, xp = self._state_now(), self.backend.xp
        ended, mode = self._ended, self.autoreset_mode
        if mode == AutoresetMode.DISABLED:
            # On a GPU the check would wait for the device at every step.
            if self._on_host and bool(xp.any(ended)):
                raise RuntimeError('an episode has ended: call reset(options={"reset_mask": ended rows}) before step()')
            again = np.empty(0, dtype=np.int64)
        else:
            again = np.flatnonzero(self.backend.to_numpy(ended))  # rows that NextStep mode resets now
        outcome = self.task.act(state, self.task.check_action(actions, self.num_envs))
        self._state = outcome.state
        reward, terminated = outcome.reward, outcome.terminated
        if len(again):
            reward, terminated = xp.where(ended, 0.0, reward), terminated & ~ended
            self._episodes[again] += 1
            self._begin(again)
        self._ended = terminated
        stepped = ~ended
        infos = self._with_masks(outcome.info, stepped)
        infos |= self._with_masks({"is_success": outcome.info["correct"]}, terminated)
        if len(again):
            infos |= self._with_masks(self.task.info(self._state), self._flags(True))
        if mode == AutoresetMode.SAME_STEP:
            infos = self._reset_ended(infos)
        if self.backend.name == "numpy":
            reward = reward.astype(np.float64)
        return self.task.observe(self._state), reward, xp.asarray(terminated, copy=True), self._flags(False), infos

    def render(self) -> tuple[Any, ...] | None:
        """A frame or text of each row, by `render_mode`."""
        if self.render_mode is None:
            return None
        return tuple(self.task.render(self._state_now(), row, self.render_mode) for row in range(self.num_envs))

    def _reset_ended(self, infos: dict[str, Any]) -> dict[str, Any]:
        """Same-step mode: put the last observation and info aside and begin the next episode in the ended rows."""
        ended = self._ended
        rows = np.flatnonzero(self.backend.to_numpy(ended))
        if not len(rows):
            return infos
        final = self.task.observe(self._state_now())
        final_info = {key: value for key, value in infos.items() if not key.startswith("_")}
        if self.backend.name == "numpy":
            final_obs: Any = np.full(self.num_envs, None, dtype=object)
            for row in rows:
                final_obs[row] = {key: value[row].copy() for key, value in final.items()}
        else:
            final_obs = final
        self._episodes[rows] += 1
        self._begin(rows)
        self._ended = self._flags(False)
        begun = self.task.info(self._state_now())
        running = self._with_masks({k: v for k, v in final_info.items() if k not in begun}, ~ended)
        running = {key: value for key, value in running.items() if key != "is_success" and key != "_is_success"}
        if len(rows) == self.num_envs:
            running = {}
        return {
            "final_obs": final_obs,
            "_final_obs": self.backend.xp.asarray(ended, copy=True),
            "final_info": self._with_masks(final_info, ended),
            "_final_info": self.backend.xp.asarray(ended, copy=True),
            **running,
            **self._with_masks(begun, self._flags(True)),
        }

    def _seed_rows(self, seed: int | list[int | None] | None, rows: np.ndarray) -> None:
        seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, (int, np.integer)) else seed
        if seeds is not None and len(seeds) != self.num_envs:
            raise ValueError(f"{len(seeds)} seeds for {self.num_envs} environments: pass one each, or one number")
        for row in rows:
            if seeds is not None and seeds[row] is not None:
                if seeds[row] < 0:
                    raise ValueError(f"a seed must not be negative, got {seeds[row]}")
                self._seeds[row], self._episodes[row] = seeds[row] & MAX_SEED, -1
            elif self._seeds[row] < 0:
                self._seeds[row] = self.np_random.integers(MAX_SEED)

    def _masked_rows(self, mask: Any) -> np.ndarray:
        mask = mask if isinstance(mask, np.ndarray) else self.backend.to_numpy(mask)
        if mask.dtype != np.bool_:
            raise TypeError(f"options['reset_mask'] must be boolean, got {mask.dtype}")
        if mask.shape != (self.num_envs,) or not mask.any():
            raise ValueError(f"options['reset_mask'] must be ({self.num_envs},) with at least one True, got {mask}")
        return np.flatnonzero(mask)

    def _begin(self, rows: np.ndarray) -> None:
        """Begin the present episode number of these rows, leaving the others as they are."""
        new = self.task.begin(
            self.backend.asarray(self._seeds[rows].copy()), self.backend.asarray(self._episodes[rows].copy())
        )
        if len(rows) == self.num_envs:
            self._state, self._ended = new, self._flags(False)
            return
        if self._state is None:
            raise RuntimeError("the first reset must begin every row: call reset() without a mask")
        index = self.backend.asarray(rows)
        for key, value in new.items():
            self._state[key][index] = value
        self._ended[index] = False

    def _with_masks(self, info: dict[str, Array], rows: Array) -> dict[str, Any]:
        """Gymnasium's vector infos: values where `rows`, zero elsewhere, and the mask under `_key`."""
        xp, result = self.backend.xp, {}
        for key, value in info.items():
            shape = (self.num_envs, *[1] * (value.ndim - 1))
            result[key] = xp.where(xp.reshape(rows, shape), value, xp.zeros_like(value))
            result[f"_{key}"] = xp.asarray(rows, copy=True)
        return result

    def _flags(self, value: bool) -> Array:
        xp = self.backend.xp
        return xp.full((self.num_envs,), value, dtype=xp.bool, device=self.backend.device)

    def _state_now(self) -> dict[str, Array]:
        if self._state is None:
            raise RuntimeError("call reset() first")
        return self._state

    @property
    def _on_host(self) -> bool:
        return self.backend.device is None or self.backend.device.type == "cpu"
