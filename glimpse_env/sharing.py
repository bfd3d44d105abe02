"""What copies of an environment share: the arrays that its user gave, which are the largest of its arguments."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from gymnasium.envs.registration import EnvSpec

from glimpse_env.dataset_objects import SharedDataset
from glimpse_env.read_only import read_only
from glimpse_env.tasks import Task


class SharedArray(np.ndarray):
    """A read-only view of an array, which `copy.deepcopy` does not copy. A pickle of it is read-only too."""

    def __deepcopy__(self, memo: dict[int, Any] | None) -> np.ndarray:  # type: ignore[override]
        if self.flags.writeable:  # computed from a shared one
            return copy.deepcopy(np.asarray(self), memo)
        return self

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)
        read_only(self)


def shared(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a task, with shared arrays in place of arrays."""
    return {
        key: read_only(value.view(SharedArray)) if isinstance(value, np.ndarray) else value
        for key, value in arguments.items()
    }


class SharedSpec:
    """The `spec` that `gym.make` gives an environment, with the arrays of its task.

    Gymnasium copies it for each wrapper and whenever an environment is made from it; a pickle of the environment has
    each array once. A dataset is shared likewise. A spec with arrays is as large as they are, and has no JSON: then
    give a path in their place.
    """

    task: Task
    _spec: EnvSpec | None = None

    @property
    def spec(self) -> EnvSpec | None:
        """How the environment was made, by `gym.make` or `gym.make_vec`; else None."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        if spec is not None:
            given = self.task.arguments
            arrays = {
                key: given[key] for key in spec.kwargs if isinstance(given.get(key), (SharedArray, SharedDataset))
            }
            spec.kwargs = {**spec.kwargs, **arrays}
        self._spec = spec
