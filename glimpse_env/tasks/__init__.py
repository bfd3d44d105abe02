"""The tasks: a row here is an environment `Glimpse/<name>` that every face and every contract test picks up."""

from __future__ import annotations

from typing import Any, NamedTuple

from glimpse_env.backend import Backend
from glimpse_env.tasks.babi import Babi
from glimpse_env.tasks.babi_gaze import BabiGaze
from glimpse_env.tasks.base import Outcome, State, Task
from glimpse_env.tasks.classify import Classify
from glimpse_env.tasks.copy import Copy, RepeatCopy
from glimpse_env.tasks.mqar import MQAR
from glimpse_env.tasks.recall import AssociativeRecall

__all__ = [
    "MQAR",
    "TASKS",
    "AssociativeRecall",
    "Babi",
    "BabiGaze",
    "Classify",
    "Copy",
    "Outcome",
    "RepeatCopy",
    "State",
    "Task",
    "TaskRow",
    "make_task",
]


class TaskRow(NamedTuple):
    """A registered environment: the class of its task and the keyword arguments that make it this one."""

    task: type[Task]
    kwargs: dict[str, Any]


TASKS: dict[str, TaskRow] = {
    "MNIST-v0": TaskRow(Classify, {"size": 28, "pieces": 0, "patch": 8, "scales": 1, "num_glimpses": 7}),
    "TranslatedMNIST-v0": TaskRow(Classify, {"size": 60, "pieces": 0, "patch": 12, "scales": 3, "num_glimpses": 8}),
    "ClutteredMNIST-v0": TaskRow(Classify, {"size": 60, "pieces": 4, "patch": 12, "scales": 3, "num_glimpses": 8}),
    "ClutteredMNIST100-v0": TaskRow(Classify, {"size": 100, "pieces": 8, "patch": 12, "scales": 4, "num_glimpses": 8}),
    "Classify-v0": TaskRow(Classify, {"dataset": None, "num_glimpses": 8}),
    "Copy-v0": TaskRow(Copy, {}),
    "RepeatCopy-v0": TaskRow(RepeatCopy, {}),
    "AssociativeRecall-v0": TaskRow(AssociativeRecall, {}),
    "MQAR-v0": TaskRow(MQAR, {}),
    "Babi-v0": TaskRow(Babi, {}),
    "BabiGaze-v0": TaskRow(BabiGaze, {"num_glimpses": 3}),
}


def make_task(name: str, backend: Backend, **kwargs: Any) -> Task:
    """The task of the row `name`, with `kwargs` in place of the row's own where both name one.

    Raises:
        KeyError: for a name that is not in `TASKS`.
        TypeError: for an argument the task does not take.
    """
    if name not in TASKS:
        raise KeyError(f"unknown task {name!r}; the tasks are {', '.join(TASKS)}")
    row = TASKS[name]
    return row.task(backend, **{**row.kwargs, **kwargs})
