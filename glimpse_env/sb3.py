"""Glimpse in Stable-Baselines3: its `VecEnv` over a Gymnasium vector environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv

try:
    from stable_baselines3.common.vec_env import VecEnv
    from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvObs, VecEnvStepReturn
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("glimpse_env.sb3 needs Stable-Baselines3: pip install stable-baselines3") from error


class GymVecEnv(VecEnv):
    """Stable-Baselines3's `VecEnv` over one Gymnasium vector environment: no copies, no processes, no loop over rows.

    Equals `DummyVecEnv` over the single environments, observation by observation and info by info. The rows share one
    environment: an attribute is the same for all of them, and a method is called once.

    Args:
        env: from `gym.make_vec(…, autoreset_mode="SameStep")`, with actions that Stable-Baselines3 knows
            (`glimpse_env.wrappers`), and NumPy arrays.

    Raises:
        TypeError: for what is no vector environment.
        ValueError: for another autoreset mode, or actions that Stable-Baselines3 does not know.
    """

    def __init__(self, env: VectorEnv) -> None:
        if not isinstance(env, VectorEnv):
            raise TypeError(f"env must be a Gymnasium vector environment, from gym.make_vec; got {type(env).__name__}")
        mode = env.metadata.get("autoreset_mode")
        if mode != AutoresetMode.SAME_STEP:
            raise ValueError(f'Stable-Baselines3 resets at once: make env with autoreset_mode="SameStep", got {mode}')
        known = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)
        if not isinstance(env.single_action_space, known):
            raise ValueError(
                "Stable-Baselines3 takes no Dict actions: wrap env in glimpse_env.wrappers' VectorGridAction or "
                f"VectorFlatAction, got {env.single_action_space}"
            )
        self.env = env
        self._actions: np.ndarray | None = None
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    def reset(self) -> VecEnvObs:
        """Begin an episode in every row, with the seeds and options set since the last."""
        options = self._merged_options()
        observations, infos = self.env.reset(seed=self._seeds, options=options)  # type: ignore[arg-type]
        for value in observations.values() if isinstance(observations, dict) else [observations]:
            if not isinstance(value, np.ndarray):
                raise TypeError(f'Stable-Baselines3 takes NumPy arrays: make env with backend="numpy", got {value!r}')
        self.reset_infos = rows_of(infos, self.num_envs)
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions (N, …) for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Observations; rewards (N,) float32; dones (N,) bool; an info for each row."""
        observations, rewards, terminated, truncated, infos = self.env.step(self._actions)
        dones = terminated | truncated
        last, seen = infos.pop("final_info", {}), infos.pop("final_obs", None)
        rows = rows_of({key: value for key, value in infos.items() if not key.startswith("_final_")}, self.num_envs)
        for row, info in enumerate(rows_of(last, self.num_envs)):
            if dones[row]:  # the other infos are now those of the next episode
                self.reset_infos[row], rows[row] = rows[row], {**info, "terminal_observation": seen[row]}
        for info, cut in zip(rows, (truncated & ~terminated).tolist(), strict=True):
            info["TimeLimit.truncated"] = cut
        return observations, rewards.astype(np.float32), dones, rows

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """The attribute of the environment, or of the first wrapper that has it, once for each row."""
        return [getattr(self._owner(attr_name), attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute where `get_attr` finds it, else on the environment itself.

        Raises:
            ValueError: for some rows only.
        """
        if sorted(self._get_indices(indices)) != list(range(self.num_envs)):
            raise ValueError(f"the rows share one environment: set {attr_name!r} for all of them, without indices")
        setattr(self._owner(attr_name) if self.has_attr(attr_name) else self.env.unwrapped, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method of the vector environment, once; each row gets its part where the result has one for each."""
        result = getattr(self._owner(method_name), method_name)(*method_args, **method_kwargs)
        apart = isinstance(result, (tuple, list, np.ndarray)) and len(result) == self.num_envs
        return [result[row] if apart else result for row in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: type, indices: VecEnvIndices = None) -> list[bool]:
        """Whether the vector environment is wrapped in this class, for each row."""
        wrapped = any(isinstance(layer, wrapper_class) for layer in self._layers())
        return [wrapped for _ in self._get_indices(indices)]

    def get_images(self) -> Sequence[np.ndarray | None]:
        """A frame of each row; None where the environment draws none."""
        if self.render_mode != "rgb_array":
            return [None] * self.num_envs
        return list(self.env.render() or ())  # type: ignore[arg-type]

    def _layers(self) -> list[Any]:
        """The wrappers, outermost first, and the environment."""
        layers: list[Any] = [self.env]
        while layers[-1] is not self.env.unwrapped:
            layers.append(layers[-1].env)
        return layers

    def _owner(self, name: str) -> Any:
        for layer in self._layers():
            if hasattr(layer, name):
                return layer
        raise AttributeError(f"neither {self.env} nor its wrappers have {name!r}")

    def _merged_options(self) -> dict[str, Any] | None:
        """Every row's own options as the vector environment's: what differs between rows becomes an array (N, …)."""
        first = self._options[0]
        if any(set(options) != set(first) for options in self._options):
            raise ValueError(f"the rows share one environment: give all of them the same options, got {self._options}")
        return {key: np.stack([np.asarray(row[key]) for row in self._options]) for key in first} or None


def rows_of(infos: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Gymnasium's vector infos as a dict for each of `count` rows, as single environments give them."""
    rows: list[dict[str, Any]] = [{} for _ in range(count)]
    for key, value in infos.items():
        if f"_{key}" not in infos:
            continue
        if isinstance(value, dict):
            values: Any = rows_of(value, count)
        else:
            values = value.tolist() if value.ndim == 1 else value.copy()
        for row in np.flatnonzero(infos[f"_{key}"]):
            rows[row][key] = values[row]
    return rows
