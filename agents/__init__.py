"""Agents that look and recall."""

from __future__ import annotations

from agents.agent import AgentConfig, AgentState, AttentionAgent, Decision
from agents.baselines import CNNConfig, WholeImageCNN
from agents.evaluation import Evaluation, Places, evaluate
from agents.loading import load_agent, make_agent
from agents.rollout import Rollout, play

__all__ = [
    "AgentConfig",
    "AgentState",
    "AttentionAgent",
    "CNNConfig",
    "Decision",
    "Evaluation",
    "Places",
    "Rollout",
    "WholeImageCNN",
    "evaluate",
    "load_agent",
    "make_agent",
    "play",
]
