"""Other people's environments in the agent's terms: all that is observed in one row, a motion, and an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

RandomGaze = Callable[[int, np.ndarray, int, int], np.ndarray]
"""From (seed, episodes (N,), steps, D) to (steps, N, D) uniform in [-1, 1]."""


class Names(NamedTuple):
    """Which parts of an environment's spaces and infos are what; what is empty is found by itself where it can be.

    Attributes:
        observe: parts of the observation to see; none is all.
        move: part of the action that moves the eye, a `Box`.
        predict: part of the action that answers: `Discrete`, or logits in a `Box`.
        target: where `info` holds the right class, as a path such as "prediction.target"; empty where it does not.
    """

    observe: tuple[str, ...] = ()
    move: str = ""
    predict: str = ""
    target: str = ""


class Interval:
    """A box seen as [-1, 1] in every dimension that has two bounds, and as it is in every other.

    Args:
        box: of any shape.
    """

    def __init__(self, box: spaces.Box) -> None:
        low, high = (np.ravel(bound).astype(np.float64) for bound in (box.low, box.high))
        self.bounded = np.isfinite(low) & np.isfinite(high)
        with np.errstate(invalid="ignore"):
            self.middle = np.where(self.bounded, low / 2 + high / 2, 0.0)
            half = np.where(self.bounded, high / 2 - low / 2, 1.0)
        self.half = np.where(half > 0, half, 1.0)
        self.shape, self.dtype, self.size = box.shape, box.dtype, len(low)

    def inwards(self, values: np.ndarray) -> np.ndarray:
        """(N, …) of the box to (N, size) float32."""
        return ((values.reshape(len(values), -1) - self.middle) / self.half).astype(np.float32)

    def outwards(self, values: np.ndarray) -> np.ndarray:
        """(N, size) to (N, …) of the box; what lies beyond its bounds is clipped."""
        inside = np.where(self.bounded, np.clip(values, -1.0, 1.0), values)
        return (self.middle + self.half * inside).reshape(len(values), *self.shape).astype(self.dtype)


class ExternalEnv(gym.vector.VectorWrapper):
    """A vector environment by others, as `agents.BatchedEnv` takes it.

    Observation: `values` (N, values) float32, every part that is observed in one row: boxes flattened, and as [-1, 1]
    where they have bounds; discretes one-hot. `location` (N, D) float32, the last motion. Action: `location` (N, D),
    the motion, [-1, 1] being the bounds of its box; and `answer`, a class (N,), or logits (N, K) where the environment
    takes these. `info["target"]` (N,) int64 is the right class for the answer just given, where `names` say where to
    find it; the answer of an episode's last step is the one that is `scored`. Rewards and ends are the environment's
    own, and an episode is truncated after `horizon` steps.

    Episodes are not functions of a number here, but of the environment's own generator: it is seeded wherever the seed
    is another or the numbers asked for do not go on from the last ones, or with `reseed` at every reset.

    Args:
        env: whose episodes, once ended, begin anew with the next step (`AutoresetMode.NEXT_STEP`).
        names: of its parts.
        horizon: steps after which an episode is truncated; 0 is the environment's own limit.
        random_gaze: from (seed, episodes (N,), steps, D) to uniform motions (steps, N, D) in [-1, 1], the control that
            `scripted_gaze("random", …)` gives; without one there is none.
        reseed: makes the episodes of a reset a function of the seed and their numbers alone, so that a training that is
            resumed goes on exactly.

    Raises:
        ValueError: for spaces that the agent cannot be joined to, or an environment without a limit.
    """

    def __init__(
        self,
        env: gym.vector.VectorEnv,
        names: Names,
        horizon: int = 0,
        random_gaze: RandomGaze | None = None,
        reseed: bool = False,
    ) -> None:
        super().__init__(env)
        limit = horizon or own_limit(env)
        if not limit:
            raise ValueError("the environment does not say how long its episodes are: say it with --num-glimpses")
        if env.metadata.get("autoreset_mode") == AutoresetMode.SAME_STEP:
            raise ValueError("an environment that resets within a step hides how its episodes end: use NextStep")
        self.names, self.horizon, self.random_gaze, self.reseed = names, int(limit), random_gaze, reseed
        self.seen = observed_parts(env.single_observation_space, names.observe)
        self.move, self.predict = action_parts(env.single_action_space, names)
        actions: Any = env.single_action_space
        self.motion, self.prediction = Interval(actions[self.move]), actions[self.predict]
        self.logits = Interval(self.prediction) if isinstance(self.prediction, spaces.Box) else None
        self.answers = self.logits.size if self.logits else int(self.prediction.n)
        if self.logits and not names.target:
            raise ValueError(
                f"{self.predict!r} takes logits, which are learned from the right class: say where info holds it with "
                "--target, such as prediction.target"
            )
        values = sum(part.size if isinstance(part, Interval) else int(part.n) for part in self.seen.values())
        place, row = (spaces.Box(-np.inf, np.inf, (n,)) for n in (self.motion.size, values))
        answer = spaces.Box(-np.inf, np.inf, (self.answers,)) if self.logits else spaces.Discrete(self.answers)
        self.single_observation_space = spaces.Dict({"values": row, "location": place})
        self.single_action_space = spaces.Dict({"location": place, "answer": answer})
        self.observation_space = gym.vector.utils.batch_space(self.single_observation_space, self.num_envs)
        self.action_space = gym.vector.utils.batch_space(self.single_action_space, self.num_envs)
        self.metadata = {
            **env.metadata,
            "horizon": self.horizon,
            "roles": {"values": "values", "location": "place"},
            "action_roles": {"location": "motion", "answer": "logits" if self.logits else "class"},
            "tells_target": bool(names.target),
            "gazes": ("random",) if random_gaze else (),
        }
        self.target, self.ended = np.full(self.num_envs, -1), np.zeros(self.num_envs, bool)
        self.steps, self.next_episode = 0, 0
        self.seed: int | None = None

    @property
    def unwrapped(self) -> Any:
        """This wrapper: what the agent asks of an environment, it answers itself."""
        return self

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """New episodes in every row; `options["episode"]` (N,) are their numbers, and `seed` that of all.

        Without numbers, a seed begins with episode 0, and no seed goes on.
        """
        numbers = (options or {}).get("episode", self.next_episode if seed is None else 0)
        first = int(np.ravel(numbers)[0])
        own = self.seed if seed is None else int(np.ravel(seed)[0])
        goes_on = not self.reseed and (own, first) == (self.seed, self.next_episode)
        observation, info = self.env.reset(seed=None if goes_on or own is None else generator_seed(own, first))
        self.seed, self.next_episode = own, first + self.num_envs
        self.target, self.ended, self.steps = self._target(info), np.zeros(self.num_envs, bool), 0
        return self._observed(observation, np.zeros((self.num_envs, self.motion.size), np.float32)), {}

    def step(self, actions: Any) -> tuple[dict[str, Any], Any, Any, Any, dict[str, Any]]:
        """One step of every row.

        Raises:
            ValueError: where the observation or the reward is not finite, or the target is missing or no class.
        """
        location, answer = np.asarray(actions["location"]), np.asarray(actions["answer"])
        given = self.logits.outwards(answer) if self.logits else answer + int(self.prediction.start)
        action = {self.move: self.motion.outwards(location), self.predict: given}
        observation, reward, terminated, truncated, info = self.env.step(action)
        if not np.isfinite(reward).all():
            raise ValueError("the environment gives a reward that is not finite")
        self.steps += 1
        truncated = truncated | (self.steps >= self.horizon)
        known: dict[str, Any] = {"scored": terminated | truncated}
        if self.names.target:
            known["target"] = self._present_target(info)
        self.ended = terminated | truncated
        return self._observed(observation, location.astype(np.float32)), reward, terminated, truncated, known

    def lengths(self, seed: int, episodes: np.ndarray) -> np.ndarray:
        """(N,) int64, the most steps of each episode."""
        return np.full(len(episodes), self.horizon)

    def scripted_gaze(self, name: str, seed: int, episodes: np.ndarray) -> np.ndarray:
        """(horizon, N, D) motions of the control "random"."""
        if name != "random" or self.random_gaze is None:
            raise ValueError(f"the environment has no scripted gaze {name!r}")
        return self.random_gaze(seed, episodes, self.horizon, self.motion.size)

    def _present_target(self, info: Any) -> np.ndarray:
        """(N,) the right classes for the answers just given. What a reset tells holds until its episode ends, unless
        each step tells a target of its own."""
        found = self._target(info)
        fresh = self.ended  # rows that the environment has reset in this step
        target = np.where(found < 0, self.target, found)
        self.target = np.where(fresh, found, np.where(found < 0, self.target, -1))
        if (target < 0).all():
            known = ", ".join(name for name in info if name[0] != "_") or "nothing"
            raise ValueError(f"info has no {self.names.target!r} (--target); it has: {known}")
        if (target[~fresh] < 0).any():
            raise ValueError(f"info tells {self.names.target!r} in some episodes only: it must in all, always")
        return target.clip(0)

    def _observed(self, observation: Any, motion: np.ndarray) -> dict[str, np.ndarray]:
        rows = []
        for name, part in self.seen.items():
            value = np.asarray(observation[name])
            one_hot = isinstance(part, spaces.Discrete)
            rows.append(np.eye(int(part.n), dtype=np.float32)[value - part.start] if one_hot else part.inwards(value))
        row = np.concatenate(rows, axis=1)
        if not np.isfinite(row).all():
            raise ValueError("the environment shows something that is not finite")
        return {"values": row, "location": motion}

    def _target(self, info: Any) -> np.ndarray:
        """(N,) int64, the right classes as `info` has them, -1 in rows without one."""
        *path, name = self.names.target.split(".")
        for part in path:
            info = info.get(part) if isinstance(info, dict) else None
        if not isinstance(info, dict) or name not in info:
            return np.full(self.num_envs, -1)
        target, present = np.asarray(info[name]), info.get(f"_{name}", True)  # a mask, as Gymnasium's vectors add it
        if target.shape != (self.num_envs,) or not np.issubdtype(target.dtype, np.integer):
            raise ValueError(
                f"{self.names.target!r} is no class but {target.dtype} of shape {target.shape[1:]}: the agent answers "
                "with one of several classes, not with a place or a size"
            )
        start = 0 if self.logits else int(self.prediction.start)
        target = np.where(present, target.astype(np.int64), start - 1) - start
        if target.min() < -1 or target.max() >= self.answers:
            wrong = target.max() if target.max() >= self.answers else target.min()
            known = f"there are {self.answers} classes from {start}"
            raise ValueError(f"{self.names.target!r} is {wrong + start}, and {known}")
        return target


def generator_seed(seed: int, episode: int) -> int:
    """A seed for an environment's generator, below 2**31, when a run of `seed` goes on at this episode."""
    return int(np.random.SeedSequence((seed, episode)).generate_state(1)[0] >> 1)


def own_limit(env: gym.vector.VectorEnv) -> int | None:
    """The most steps of an episode, as the environment, its registration or its first row tells."""
    row = next(iter(getattr(env.unwrapped, "envs", [])), None)
    specs = (getattr(one, "spec", None) for one in (env, row))
    limits = (getattr(spec, "max_episode_steps", None) for spec in specs)
    return env.metadata.get("horizon") or next((limit for limit in limits if limit), None)


def observed_parts(space: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The parts to see, by name: an `Interval` for a box, the space itself for a discrete.

    Raises:
        ValueError: for an observation that is no Dict, names it does not have, or parts that are neither.
    """
    if not isinstance(space, spaces.Dict):
        raise ValueError(f"the observation must be a Dict of boxes and discretes, got {space}")
    unknown = [name for name in names if name not in space.spaces]
    if unknown:
        raise ValueError(f"the observation has no {unknown[0]!r} (--observe); it has: {', '.join(space.spaces)}")
    parts = {name: space[name] for name in names or space.spaces}
    for name, part in parts.items():
        if not isinstance(part, (spaces.Box, spaces.Discrete)):
            raise ValueError(f"the observation's {name!r} is neither Box nor Discrete: {part}; choose with --observe")
    return {name: Interval(part) if isinstance(part, spaces.Box) else part for name, part in parts.items()}


def action_parts(space: Any, names: Names) -> tuple[str, str]:
    """The names of the motion and of the prediction in an action.

    Raises:
        ValueError: for an action that is not a Dict of one Box (the motion) and one prediction, or where it is not
            clear which is which.
    """
    if not isinstance(space, spaces.Dict) or len(space.spaces) != 2:
        raise ValueError(f"the action must be a Dict of one Box (the motion) and one prediction, got {space}")
    for option, name in (("--move", names.move), ("--predict", names.predict)):
        if name and name not in space.spaces:
            raise ValueError(f"the action has no {name!r} ({option}); it has: {', '.join(space.spaces)}")
    if names.move and names.move == names.predict:
        raise ValueError(f"--move and --predict are both {names.move!r}: name two parts of the action")
    boxes = [name for name, part in space.spaces.items() if isinstance(part, spaces.Box)]
    if not boxes:
        raise ValueError(f"the action has no Box to move by, got {space}")
    move = names.move or next((name for name in space.spaces if names.predict and name != names.predict), "")
    if not move and len(boxes) == 2:
        raise ValueError(f"the action has two boxes, {boxes[0]!r} and {boxes[1]!r}: say which moves with --move")
    move = move or boxes[0]
    predict = names.predict or next(name for name in space.spaces if name != move)
    if not isinstance(space[move], spaces.Box):
        raise ValueError(f"the motion {move!r} must be a Box, got {space[move]}")
    part = space[predict]
    if not isinstance(part, spaces.Discrete) and not (isinstance(part, spaces.Box) and len(part.shape) == 1):
        raise ValueError(f"the prediction {predict!r} must be Discrete, or a Box of logits in a row, got {part}")
    return move, predict
