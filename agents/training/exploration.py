"""The random numbers of a training's exploration, as a pure function of (seed, update, row).

So the same update explores alike in one process or in several and on any device, and a resumed training needs no
generator's state.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.batched_env import BatchedEnv
from agents.training.distributed import rank, world_size


def drawn_parts(agent: Any, env: BatchedEnv, answer_signal: str, given: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The parts of an action that are drawn: all but an answer that learns from its target, and what is given.

    Args:
        agent: that acts.
        env: that it acts in; where it tells no target, an answer too learns from reward.
        answer_signal: "target" or "reward".
        given: parts that are not the agent's to choose.
    """
    known = ("answer",) if answer_signal == "target" and env.metadata.get("tells_target", True) else ()
    return tuple(name for name, head in agent.heads.items() if head.noise_size and name not in (*known, *given))


def exploration_noise(agent: Any, env: BatchedEnv, parts: tuple[str, ...], seed: int, update: int) -> dict[str, Tensor]:
    """(T, N, …) random numbers for each of these parts, as its head draws by them: this process's rows of the batch.

    Every process draws those of all rows, and takes its own: `rank`, `rank + world size`, …
    """
    generator = torch.Generator().manual_seed(
        int(np.random.SeedSequence((seed, update)).generate_state(1, np.uint64)[0] >> 1)
    )
    steps = env.metadata["max_answers"] if env.read_ahead else env.horizon
    noise = {}
    for name in parts:
        shape = (steps, env.num_envs * world_size(), agent.heads[name].noise_size)
        uniform = torch.rand(shape, generator=generator)[:, rank() :: world_size()]
        noise[name] = agent.heads[name].noise(uniform).to(env.device)
    return noise
