"""The README's "Use it elsewhere": every block there, and every id in every library, where the library is installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from glimpse_env import TASKS
from tests.conftest import id_and_arguments, mnist_available

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # the libraries' own warnings are theirs …
    pytest.mark.filterwarnings("error:.*WARN"),  # … but what Gymnasium says of the environments counts
]


def blocks(language: str) -> dict[str, str]:
    """The section's blocks of code in a language, by their headings."""
    section = README.read_text().split("\n## Use it elsewhere\n")[1].split("\n## ")[0]
    parts = re.split(r"^### (.+)$", section, flags=re.MULTILINE)[1:]
    return {
        heading: "\n".join(re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL))
        for heading, text in zip(parts[::2], parts[1::2], strict=True)
    }


SHORTER = {
    "Stable-Baselines3": {"num_envs=256": "num_envs=4", "learn(100_000)": "learn(128)", "learn(1_000)": "learn(120)"}
}
"""What a test has no time for, and what it does instead."""


def stable_baselines_played(names: dict[str, Any]) -> bool:
    return names["model"].num_timesteps == 128


def torchrl_played(names: dict[str, Any]) -> bool:
    batch = names["batch"]
    ends = batch["next", "done"][..., 0].nonzero()[:, 1] % 8 == 7
    return (
        names["episode"].shape == (8,)
        and batch["observation"].shape == (64, 32, 435)
        and bool(ends.all())
        and len(ends) == 64 * 4
        and bool((batch["next", "reward"][~batch["next", "done"]] == 0).all())
    )


def rllib_played(names: dict[str, Any]) -> bool:
    names["algorithm"].stop()
    return names["result"]["episode_len_mean"] == 6 and 0 <= names["result"]["episode_return_mean"] <= 1


def pufferlib_played(names: dict[str, Any]) -> bool:
    return names["observation"].shape == (8, 435) and len(names["infos"]) == 8 and not names["terminated"].any()


def tianshou_played(names: dict[str, Any]) -> bool:
    return names["collector"].buffer.done.sum() == 100


LIBRARIES: dict[str, tuple[str, Callable[[dict[str, Any]], bool]]] = {
    "Stable-Baselines3": ("stable_baselines3", stable_baselines_played),
    "TorchRL": ("torchrl", torchrl_played),
    "RLlib": ("ray.rllib", rllib_played),
    "PufferLib": ("pufferlib", pufferlib_played),
    "Tianshou": ("tianshou", tianshou_played),
}
"""By heading in the README: the module that a block of Python needs, and what must hold after it ran."""


@pytest.fixture(scope="module", autouse=True)
def ray_ends() -> Iterator[None]:
    yield
    if "ray" in sys.modules:
        sys.modules["ray"].shutdown()


@pytest.fixture
def cleanrl() -> Path:
    """The checkout of CleanRL that `CLEANRL` names."""
    folder = Path(os.environ.get("CLEANRL", "missing"))
    if not (folder / "cleanrl" / "ppo.py").is_file():
        pytest.skip("CleanRL is not here: CLEANRL names no checkout of it")
    for module in ("tyro", "tensorboard"):
        pytest.importorskip(module, reason=f"CleanRL's scripts need {module}")
    return folder.resolve()


def run_cleanrl(folder: Path, script: str, id: str, where: Path, *modules: Path) -> None:
    """Run one of its scripts as it is, for a few steps."""
    few = ("--total-timesteps=101", "--learning-starts=30", "--buffer-size=100", "--batch-size=8")
    if script == "ppo":
        few = ("--total-timesteps=128", "--num-envs=2", "--num-steps=32")
    path = os.pathsep.join(map(str, (ROOT, folder, *modules)))
    command = [sys.executable, str(folder / "cleanrl" / f"{script}.py"), "--env-id", id, "--no-cuda", *few]
    env = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, cwd=where, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "SPS:" in done.stdout  # steps per second, once it has learned
    assert "WARN" not in done.stderr


def test_the_readme_has_a_block_for_each_library() -> None:
    python = {heading: code for heading, code in blocks("python").items() if code}
    assert sorted(python) == sorted(LIBRARIES)
    assert all("glimpse_env:Glimpse/" in code for code in python.values())
    assert set(blocks("sh")) == {*LIBRARIES, "CleanRL"}


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_block_of_the_readme_runs(library: str, noise_digits: None) -> None:
    module, played = LIBRARIES[library]
    pytest.importorskip(module, reason=f"{library} is not installed")
    names: dict[str, Any] = {}
    code = blocks("python")[library]
    for long, short in SHORTER.get(library, {}).items():
        assert code.count(long) == 1
        code = code.replace(long, short)
    exec(compile(code, f"README.md: {library}", "exec"), names)
    assert played(names)


def test_the_lines_of_cleanrl_run(cleanrl: Path, real_babi: str, tmp_path: Path, monkeypatch: Any) -> None:
    if not mnist_available():
        pytest.skip("MNIST is neither in GLIMPSE_DATA nor in the cache")
    monkeypatch.setenv("GLIMPSE_DATA", real_babi)
    lines = re.findall(r"^python cleanrl/(\w+)\.py --env-id (\S+)$", blocks("sh")["CleanRL"], flags=re.MULTILINE)
    assert len(lines) == 3
    for script, id in lines:
        run_cleanrl(cleanrl, script, id, tmp_path)


def stable_baselines3(id: Callable[[str], str], kwargs: dict[str, Any]) -> None:
    from stable_baselines3 import A2C, DQN, PPO

    from glimpse_env.sb3 import GymVecEnv
    from glimpse_env.wrappers import GridAction

    discrete, box, plain = id("Discrete"), id("Box"), id("")
    env = gym.make(discrete, **kwargs)
    assert DQN("MlpPolicy", env, learning_starts=20, buffer_size=50).learn(40).num_timesteps == 40
    assert A2C("MlpPolicy", gym.make(box, **kwargs)).learn(20).num_timesteps == 20
    envs = GymVecEnv(gym.make_vec(discrete, 2, autoreset_mode="SameStep", **kwargs))
    assert PPO("MlpPolicy", envs, n_steps=16, batch_size=32).learn(32).num_timesteps == 32
    flat = GridAction(gym.make(plain, **kwargs))
    assert PPO("MultiInputPolicy", flat, n_steps=32, batch_size=32).learn(32).num_timesteps == 32


def torchrl(id: Callable[[str], str], kwargs: dict[str, Any]) -> None:
    from torchrl.envs import GymEnv, GymWrapper
    from torchrl.envs.utils import check_env_specs

    for face in ("Discrete", "Box"):
        env = GymEnv(id(face), **kwargs)
        check_env_specs(env)
        assert bool(env.rollout(200)["next", "done"][-1])
        envs = GymWrapper(gym.make_vec(id(face), 2, autoreset_mode="Disabled", **kwargs))
        assert envs.rollout(40, break_when_any_done=False)["next", "done"].sum() >= 2


def rllib(id: Callable[[str], str], kwargs: dict[str, Any]) -> None:
    from ray.rllib.algorithms.ppo import PPOConfig

    for face in ("Discrete", "Box"):
        config = PPOConfig().environment(id(face), env_config=kwargs).env_runners(num_env_runners=0)
        config.training(train_batch_size_per_learner=64, minibatch_size=32, num_epochs=1)
        algorithm = config.build_algo()
        assert 0 <= algorithm.train()["env_runners"]["episode_return_mean"] <= 1
        algorithm.stop()


def pufferlib(id: Callable[[str], str], kwargs: dict[str, Any]) -> None:
    from pufferlib.emulation import GymnasiumPufferEnv
    from pufferlib.vector import Serial, make

    for face in ("Discrete", "Box"):

        def one(**more: Any) -> Any:
            return GymnasiumPufferEnv(env=gym.make(id(face), **kwargs), **more)  # noqa: B023

        envs: Any = make(one, num_envs=2, backend=Serial)
        envs.reset(seed=1)
        ended = sum(int(envs.step(envs.action_space.sample())[2].sum()) for _ in range(60))
        assert ended >= 2


def tianshou(id: Callable[[str], str], kwargs: dict[str, Any]) -> None:
    from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
    from tianshou.algorithm.modelfree.reinforce import ProbabilisticActorPolicy
    from tianshou.data import Collector, VectorReplayBuffer
    from tianshou.env import DummyVectorEnv
    from tianshou.utils.net.common import Net
    from tianshou.utils.net.continuous import ContinuousActorProbabilistic
    from torch.distributions import Independent, Normal

    for face in ("Discrete", "Box"):
        env = gym.make(id(face), **kwargs)
        seen, actions = env.observation_space.shape, env.action_space
        policy: Any
        if isinstance(actions, gym.spaces.Discrete):
            network = Net(state_shape=seen, action_shape=int(actions.n), hidden_sizes=[8])
            policy = DiscreteQLearningPolicy(model=network, action_space=actions)
        else:
            net = Net(state_shape=seen, hidden_sizes=[8])
            actor = ContinuousActorProbabilistic(preprocess_net=net, action_shape=actions.shape)
            policy = ProbabilisticActorPolicy(
                actor=actor, dist_fn=lambda p: Independent(Normal(*p), 1), action_space=actions
            )
        envs = DummyVectorEnv([lambda face=face: gym.make(id(face), **kwargs)] * 2)
        collected = Collector(policy, envs, VectorReplayBuffer(400, 2)).collect(n_episode=2, reset_before_collect=True)
        assert len(collected.returns) == 2


PLAY = {
    "stable_baselines3": stable_baselines3,
    "torchrl": torchrl,
    "ray.rllib": rllib,
    "pufferlib": pufferlib,
    "tianshou": tianshou,
}
"""By module: plays a few steps, of the ids of a task and its arguments."""


@pytest.mark.parametrize("module", PLAY)
def test_every_id_runs_in(module: str, every_task: tuple[str, dict[str, Any]]) -> None:
    pytest.importorskip(module, reason=f"{module} is not installed")
    name, kwargs = every_task
    PLAY[module](lambda face: name.replace("-v0", f"-{face}-v0") if face else name, kwargs)


@pytest.mark.parametrize(
    ("script", "name"),
    [("ppo", name) for name in TASKS]
    + [
        (script, name)
        for script in ("dqn", "td3_continuous_action")
        for name in ("Classify-v0", "BabiGaze-v0", "Copy-v0", "MQAR-v0")  # pictures, words with a gaze, bits, tokens
    ],
)
def test_every_id_runs_in_cleanrl(
    cleanrl: Path, script: str, name: str, folders: dict[str, str], tmp_path: Path
) -> None:
    """As a task of one's own, registered with small data by a module that the id names."""
    _, kwargs = id_and_arguments(name, folders)
    if "images" in kwargs or "MNIST" in name:
        rng = np.random.default_rng(0)
        np.savez(tmp_path / "own.npz", images=rng.integers(0, 256, (40, 12, 12), np.uint8), labels=np.arange(40) % 4)
        kwargs = {"dataset": None, "images": str(tmp_path / "own.npz"), "size": 28, "patch": 6}
    code = f"""
import glimpse_env

row = glimpse_env.TASKS[{name!r}]
glimpse_env.register_task("Own-v0", row.task, **{{**row.kwargs, **{kwargs!r}}})
"""
    (tmp_path / "own_tasks.py").write_text(code)
    face = "Box" if "continuous" in script else "Discrete"
    run_cleanrl(cleanrl, script, f"own_tasks:Glimpse/Own-{face}-v0", tmp_path, tmp_path)
