"""Photographs and icons, with an overview, and controls that see nothing else."""

from __future__ import annotations

from dataclasses import replace

from agents import AgentConfig
from agents.config import GlimpseKind
from agents.training.recipe import EnvConfig, Recipe
from runs.recipes.images import CLUTTERED

# A street has many places worth a look: the gaze chooses among the cells of an overview, which the answer does not see.
# Before the gaze has met a sign, an answer could only learn scenes by heart, and so it counts little.
TRAFFIC_SIGNS = replace(
    CLUTTERED,
    name="traffic-signs",
    env=EnvConfig("TrafficSigns-v0", resize=1020, patch=24, scales=3, arguments=("composed=0.8", "overview=340")),
    agent=AgentConfig(width=160, glimpse_encoder="patches", core="max", saccades="cells", ignore=("time", "overview")),
    episodes=60_000,
    batch=16,
    lr=3e-3,
    gaze_lr=1.0,
    led=0.5,
    led_end=0.25,
    unfound_weight=0.1,
    std=0.5,
    std_end=0.2,
)
# Icons of 48 to 256 pixels, anywhere on a canvas of 256 (`runs.icon_set`). The patches are 24, 48, 96 and 192 pixels
# wide: one of them is filled at least half by an icon that is looked at in its middle.
ICONS = replace(
    TRAFFIC_SIGNS,
    name="icons",
    env=EnvConfig(
        "Classify-v0",
        images="icons",
        num_glimpses=4,
        patch=24,
        scales=4,
        arguments=("overview=64", "augment=scale,brightness,contrast,colour,cutout:0.5"),
    ),
    agent=replace(TRAFFIC_SIGNS.agent, glimpse_encoder="blocks", channels=16),
    episodes=80_000,
    batch=64,
    lr=5e-3,
)


def whole_overview(name: str, base: Recipe, size: str, encoder: GlimpseKind, channels: int = 32) -> Recipe:
    """A control that sees the scenes of `base` at once, as an overview of this size, and no glimpse."""
    arguments = (*(text for text in base.env.arguments if not text.startswith("overview=")), f"overview={size}")
    env = replace(base.env, patch=1, scales=1, num_glimpses=1, arguments=arguments)
    ignored = ("glimpse", "location", "time")
    agent = AgentConfig(glimpse_encoder=encoder, channels=channels, core="none", saccades="none", ignore=ignored)
    return replace(base, name=name, env=env, agent=agent, optimizer="adam", lr=1e-3, led=0.0, led_end=None)


PHOTOGRAPH_RECIPES = (
    TRAFFIC_SIGNS,
    ICONS,
    replace(ICONS, name="icons-random", gaze="random", led=0.0, led_end=None),
    whole_overview("icons-cnn", ICONS, "64", "deep_cnn", 24),  # as many multiply-adds
    replace(TRAFFIC_SIGNS, name="traffic-signs-random", gaze="random", led=0.0, led_end=None),
    whole_overview("traffic-signs-resnet-0.04", TRAFFIC_SIGNS, "(30, 51)", "resnet"),  # as many multiply-adds
    whole_overview("traffic-signs-resnet-0.1", TRAFFIC_SIGNS, "(80, 136)", "resnet"),
    whole_overview("traffic-signs-resnet-0.3", TRAFFIC_SIGNS, "(240, 408)", "resnet"),
)
