"""What a decision costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from agents import AttentionAgent, BatchedEnv, collect


def multiply_adds(agent: AttentionAgent, env: Any) -> int:
    """Multiply-adds of one episode's decision, all glimpses together: the mean over as many episodes as `env` has rows.

    What a scripted gaze would save is not counted: the agent chooses where to look.
    """
    device = next(agent.parameters()).device
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        trajectory = collect(agent, BatchedEnv(env, device), np.arange(env.num_envs))
    taken = trajectory.alive.double().mean()  # rows that are over wait for the others
    return round(counter.get_total_flops() / 2 / env.num_envs * float(taken))
