"""The tasks: `register_task` makes an environment `Glimpse/<name>`, which every contract test covers."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import gymnasium as gym

from glimpse_env.backend import Backend
from glimpse_env.tasks.arcs import Arcs
from glimpse_env.tasks.babi import Babi
from glimpse_env.tasks.babi_gaze import BabiGaze
from glimpse_env.tasks.base import Task
from glimpse_env.tasks.catch import Catch
from glimpse_env.tasks.change_detection import ChangeDetection
from glimpse_env.tasks.classify import Classify
from glimpse_env.tasks.copy import Copy
from glimpse_env.tasks.gallery import Gallery
from glimpse_env.tasks.megapixel import Megapixel
from glimpse_env.tasks.mqar import MQAR
from glimpse_env.tasks.omniglot import Omniglot
from glimpse_env.tasks.pronoun import Pronoun
from glimpse_env.tasks.read_scan import ReadScan
from glimpse_env.tasks.recall import AssociativeRecall
from glimpse_env.tasks.records import Outcome, State, Story, Whole
from glimpse_env.tasks.repeat_copy import RepeatCopy
from glimpse_env.tasks.roles import check_roles
from glimpse_env.tasks.scan import Scan
from glimpse_env.tasks.search import Search
from glimpse_env.tasks.several_digits import SeveralDigits
from glimpse_env.tasks.sort_of_clevr import SortOfCLEVR
from glimpse_env.tasks.traffic_signs import TrafficSigns
from glimpse_env.tasks.transcribe import Transcribe
from glimpse_env.tasks.visuomotor_mapping import VisuomotorMapping
from glimpse_env.tasks.what_then_where import WhatThenWhere
from glimpse_env.tasks.word_sense import WordSense

__all__ = ["TASKS", "Outcome", "State", "Story", "Task", "TaskRow", "Whole", "make_task", "register_task"]


class TaskRow(NamedTuple):
    """A registered environment: the class of its task and the keyword arguments that make it this one."""

    task: type[Task]
    kwargs: dict[str, Any]


TASKS: dict[str, TaskRow] = {}
"""The registered environments by name."""

FACES = {
    "": ("glimpse_env.env:{}", "glimpse_env.vector_env:GlimpseVectorEnv"),
    "-Discrete": ("glimpse_env.flat:discrete_env", "glimpse_env.flat:discrete_vector_env"),
    "-Box": ("glimpse_env.flat:box_env", "glimpse_env.flat:box_vector_env"),
}
"""What each task is registered as: what follows its name in the id, and the single and the vector environment. The
class of the first says which render modes there are: `gym.make` asks it before there is an object."""


def register_task(name: str, task: type[Task], **defaults: Any) -> None:
    """Make `Glimpse/<name>` an environment of Gymnasium, single (`gym.make`) and vector (`gym.make_vec`).

    Of "Mine-v0", `Glimpse/Mine-Discrete-v0` and `Glimpse/Mine-Box-v0` have flat observations and actions
    (`glimpse_env.flat`).

    Args:
        name: ends in "-v" and a number, such as "Mine-v0".
        task: a subclass of `Task`; one of your own must lie in a module that worker processes can import.
        **defaults: arguments of the task, in place of its own defaults.

    Raises:
        ValueError: for a name that is taken, or of another form.
        TypeError: for what is no subclass of `Task`.
    """
    if not re.fullmatch(r"[\w.-]+-v\d+", name):
        raise ValueError(f'a name is letters, digits, "_", "." and "-" and ends in "-v" and a number, got {name!r}')
    stem, version = name.rsplit("-", 1)
    ids = {face: f"Glimpse/{stem}{face}-{version}" for face in FACES}
    if name in TASKS or any(id in gym.registry for id in ids.values()):
        raise ValueError(f"the name {name!r} is taken: choose another, or the next version")
    if not (isinstance(task, type) and issubclass(task, Task)):
        raise TypeError(f"task must be a subclass of glimpse_env.tasks.Task, got {task!r}")
    row = TASKS[name] = TaskRow(task, defaults)
    ours = task.__module__.startswith(__name__)
    kind = {"rgb_array": "PictureEnv", "ansi": "TextEnv"}.get(" ".join(task.render_modes), "GlimpseEnv")
    for face, (single, vector) in FACES.items():
        gym.register(
            id=ids[face],
            entry_point=single.format(kind),
            vector_entry_point=vector,
            kwargs={"name": name if ours else row},  # the row, so that a worker process need not register it
        )


def make_task(name: str | TaskRow, backend: Backend, **kwargs: Any) -> Task:
    """The task of a row, or of the row called `name`, with `kwargs` in place of the row's own where both name one.

    Raises:
        KeyError: for a name that is not in `TASKS`.
        TypeError: for an argument the task does not take.
        ValueError: for a task with a part that has no known role.
    """
    if isinstance(name, str) and name not in TASKS:
        raise KeyError(f"unknown task {name!r}; the tasks are {', '.join(TASKS)}")
    row = TASKS[name] if isinstance(name, str) else name
    task = row.task(backend, **{**row.kwargs, **kwargs})
    check_roles(task.observation_space, task.action_space, task.roles, task.action_roles)
    return task


register_task("MNIST-v0", Classify, size=28, pieces=0, patch=8, scales=1, num_glimpses=7)
register_task("TranslatedMNIST-v0", Classify, size=60, pieces=0, patch=12, scales=3, num_glimpses=8)
register_task("ClutteredMNIST-v0", Classify, size=60, pieces=4, patch=12, scales=3, num_glimpses=8)
register_task("ClutteredMNIST100-v0", Classify, size=100, pieces=8, patch=12, scales=4, num_glimpses=8)
register_task("Classify-v0", Classify, dataset=None, num_glimpses=8)
register_task("MNISTPairs-v0", SeveralDigits)
register_task("MNISTAddition-v0", SeveralDigits, answer="sum", pieces=0)
register_task("Catch-v0", Catch)
register_task("Search-v0", Search)
register_task("Transcribe-v0", Transcribe)
register_task("Megapixel-v0", Megapixel)
register_task("TrafficSigns-v0", TrafficSigns)
register_task("Omniglot-v0", Omniglot)
register_task("SortOfCLEVR-v0", SortOfCLEVR)
register_task("Gallery-v0", Gallery)
register_task("WhatThenWhere-v0", WhatThenWhere)
register_task("ChangeDetection-v0", ChangeDetection)
register_task("VisuomotorMapping-v0", VisuomotorMapping)
register_task("Copy-v0", Copy)
register_task("RepeatCopy-v0", RepeatCopy)
register_task("AssociativeRecall-v0", AssociativeRecall)
register_task("MQAR-v0", MQAR)
register_task("Babi-v0", Babi)
register_task("BabiGaze-v0", BabiGaze, num_glimpses=3)
register_task("WordSense-v0", WordSense)
register_task("Scan-v0", Scan)
register_task("ReadScan-v0", ReadScan)
register_task("Arcs-v0", Arcs)
register_task("Pronoun-v0", Pronoun)
