"""The README's "Use it elsewhere": every block of code there is run, where its library is installed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).parents[1] / "README.md"


def blocks() -> dict[str, str]:
    """The section's blocks of code by their headings."""
    section = README.read_text().split("\n## Use it elsewhere\n")[1].split("\n## ")[0]
    parts = re.split(r"^### (.+)$", section, flags=re.MULTILINE)[1:]
    return {
        heading: "\n".join(re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL))
        for heading, text in zip(parts[::2], parts[1::2], strict=True)
    }


SHORTER = {"Stable-Baselines3": {"num_envs=256": "num_envs=4", "learn(100_000)": "learn(128)"}}
"""What a test has no time for, and what it does instead."""


def stable_baselines_played(names: dict[str, Any]) -> bool:
    return names["model"].num_timesteps == 128


def torchrl_played(names: dict[str, Any]) -> bool:
    batch = names["batch"]
    ends = batch["next", "done"][..., 0].nonzero()[:, 1] % 8 == 7
    return (
        names["episode"].shape == (8,)
        and batch["glimpse"].shape == (64, 32, 3, 1, 12, 12)
        and bool(ends.all())
        and len(ends) == 64 * 4
        and bool((batch["next", "reward"][~batch["next", "done"]] == 0).all())
    )


def rllib_played(names: dict[str, Any]) -> bool:
    import ray

    names["algorithm"].stop()
    ray.shutdown()
    return names["result"]["episode_len_mean"] == 6 and 0 <= names["result"]["episode_return_mean"] <= 1


def cleanrl_played(names: dict[str, Any]) -> bool:
    # Nine calls of `step` an episode: eight steps, and the reset of "NextStep" mode.
    return names["envs"].episode_count == 64 * (64 // 9) and names["observation"].shape == (64, 435)


def pufferlib_played(names: dict[str, Any]) -> bool:
    return names["observation"].shape == (8, 435) and len(names["infos"]) == 8 and not names["terminated"].any()


def tianshou_played(names: dict[str, Any]) -> bool:
    result, buffer = names["result"], names["collector"].buffer
    return (result.train_step, result.train_episode, result.update_step) == (256, 32, 4) and buffer.done.sum() == 100


LIBRARIES: dict[str, tuple[str, Callable[[dict[str, Any]], bool]]] = {
    "Stable-Baselines3": ("stable_baselines3", stable_baselines_played),
    "TorchRL": ("torchrl", torchrl_played),
    "RLlib": ("ray.rllib", rllib_played),
    "CleanRL": ("torch", cleanrl_played),
    "PufferLib": ("pufferlib", pufferlib_played),
    "Tianshou": ("tianshou", tianshou_played),
}
"""By heading in the README: the module that a block needs, and what must hold after it ran."""


def test_the_readme_has_a_block_for_each_library() -> None:
    assert list(blocks()) == list(LIBRARIES)
    assert all("glimpse_env:Glimpse/" in code for code in blocks().values())


@pytest.mark.filterwarnings("ignore")  # their own warnings are theirs …
@pytest.mark.filterwarnings("error:.*WARN")  # … but what Gymnasium says of the environments counts
@pytest.mark.parametrize("library", LIBRARIES)
def test_the_block_of_the_readme_runs(library: str, noise_digits: None) -> None:
    module, played = LIBRARIES[library]
    pytest.importorskip(module, reason=f"{library} is not installed")
    names: dict[str, Any] = {}
    code = blocks()[library]
    for long, short in SHORTER.get(library, {}).items():
        assert code.count(long) == 1
        code = code.replace(long, short)
    exec(compile(code, f"README.md: {library}", "exec"), names)
    assert played(names)
