"""A map of a hidden story, what its lines may hold, and the agent whose memory reads this map."""

from __future__ import annotations

from agents.story_map.agent import StoryMapAgent
from agents.story_map.map import StoryMapConfig

__all__ = ["StoryMapAgent", "StoryMapConfig"]
