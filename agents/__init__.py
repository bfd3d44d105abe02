"""Agents that look and recall."""

from __future__ import annotations

from agents.agent import AgentConfig, AgentState, AttentionAgent, Decision
from agents.baselines import CNNConfig, WholeImageCNN
from agents.evaluation import Evaluation, Places, Score, evaluate, evaluate_reading
from agents.foreign import Foreign, Names
from agents.loading import load_agent, make_agent
from agents.outing import Outing, OutingScore, evaluate_outing, go_out
from agents.reading import Reading, read
from agents.rollout import Rollout, play

__all__ = [
    "AgentConfig",
    "AgentState",
    "AttentionAgent",
    "CNNConfig",
    "Decision",
    "Evaluation",
    "Foreign",
    "Names",
    "Outing",
    "OutingScore",
    "Places",
    "Reading",
    "Rollout",
    "Score",
    "WholeImageCNN",
    "evaluate",
    "evaluate_outing",
    "evaluate_reading",
    "go_out",
    "load_agent",
    "make_agent",
    "play",
    "read",
]
