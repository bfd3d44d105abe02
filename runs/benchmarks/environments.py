"""Environment steps per second, also against `ap_gym`; the memory of a large batch."""

from __future__ import annotations

import importlib.util
import multiprocessing
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np

from runs.benchmarks.timing import Figure, medians
from runs.progress import Progress

WIDTHS = (1, 16, 256, 4096)
TASKS = ("MNIST-v0", "ClutteredMNIST-v0", "ClutteredMNIST100-v0")
PEER = "CircleSquare-v0"


def steps(env: Any, count: int) -> Callable[[], None]:
    """A call that makes `count` steps of an environment, with random actions drawn beforehand."""
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(8)]
    single = isinstance(env, gym.Env)
    env.reset(seed=0)

    def run() -> None:
        for number in range(count):
            _, _, terminated, truncated, _ = env.step(actions[number % len(actions)])
            if single and (terminated or truncated):
                env.reset()

    return run


def environment_speed(repeats: int, bar: Progress) -> list[Figure]:
    """Steps per second of the vector environments, NumPy, at several widths; the memory of the widest."""
    figures = []
    for name in TASKS:
        for width in WIDTHS:
            env, count = gym.make_vec(f"glimpse_env:Glimpse/{name}", num_envs=width), max(16, 2048 // width)
            seconds = medians({name: steps(env, count)}, repeats=repeats, bar=bar)[name]
            figures.append(Figure(f"{name}, {width} at once", width * count / seconds, "steps/s"))
    return [*figures, Figure(f"memory of {width} episodes of {name}", memory(env) / 2**20, "MiB")]


def memory(env: Any) -> int:
    """The most bytes in use during two steps, beyond what the environment holds before its first episode."""
    run = steps(env, 2)
    tracemalloc.start()
    try:
        env.reset(seed=0)
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def the_same_work(ours: bool, width: int) -> Any:
    """28×28 images of two classes, 5×5 glimpses at one scale, relative moves, 16 steps: one, or `width` at once."""
    make: Any = partial(gym.make_vec, num_envs=width) if width else gym.make
    if not ours:
        warnings.simplefilter("ignore")
        import ap_gym  # noqa: F401

        return make(PEER)
    images = np.random.default_rng(0).integers(0, 256, (800, 28, 28), dtype=np.uint8)
    kwargs: dict[str, Any] = {"images": images, "labels": np.arange(800) % 2, "patch": 5, "scales": 1, "split": "all"}
    kwargs |= {"num_glimpses": 16, "start": "random", "saccades": "relative"}
    return make("glimpse_env:Glimpse/Classify-v0", **kwargs)


_run: Callable[[], None]


def _prepare(ours: bool, width: int, count: int) -> None:
    global _run
    _run = steps(the_same_work(ours, width), count)


def _play() -> None:
    _run()


@contextmanager
def contender(ours: bool, width: int, count: int) -> Iterator[Callable[[], None]]:
    """A process of its own that steps at each call: the thread in which `ap_gym` loads images would slow down ours."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, _prepare, (ours, width, count)) as pool:
        yield lambda: pool.submit(_play).result()


def against_ap_gym(repeats: int, bar: Progress) -> list[Figure]:
    """Steps per second on the same work, in turn."""
    if importlib.util.find_spec("ap_gym") is None:
        bar.write("ap_gym is not installed: skipped (pip install '.[bench]')")
        return []
    figures = []
    for label, width, peer_count, own_count in (("single", 0, 256, 4096), ("256 at once", 256, 16, 2048)):
        counts = {"ap_gym CircleSquare": peer_count, "Glimpse, same work": own_count}
        with ExitStack() as stack:
            calls = {
                name: stack.enter_context(contender(name.startswith("Glimpse"), width, count))
                for name, count in counts.items()
            }
            times = medians(calls, repeats=repeats, bar=bar)
        rates = {name: max(width, 1) * counts[name] / seconds for name, seconds in times.items()}
        figures += [Figure(f"{name}, {label}", rate, "steps/s") for name, rate in rates.items()]
        peer, own = rates.values()
        figures.append(Figure(f"Glimpse / ap_gym, {label}", own / peer, "×"))
    return figures
