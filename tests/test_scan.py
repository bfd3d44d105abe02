"""SCAN: the commands and their meaning, the partitions as released, and what a glimpse of a command shows."""

from __future__ import annotations

import os
import tarfile
from collections import Counter
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch

from agents import AgentConfig, AttentionAgent, spec_of
from glimpse_env.backend import get_backend
from glimpse_env.images import SPLITS
from glimpse_env.scan import ACTIONS, FILE, FOLDER, PARTITIONS, all_commands, load_scan
from glimpse_env.tasks.scan import Scan
from runs.traces.alignment import recalled_words
from runs.traces.trace import record_traces

RELEASED = {
    "simple": "simple_split/tasks_{}_simple.txt",
    "length": "length_split/tasks_{}_length.txt",
    "jump": "add_prim_split/tasks_{}_addprim_jump.txt",
    "turn_left": "add_prim_split/tasks_{}_addprim_turn_left.txt",
    "around_right": "template_split/tasks_{}_template_around_right.txt",
}
SIZES = {
    "length": (16_990, 3_920),
    "jump": (14_670, 7_706),
    "turn_left": (21_890, 1_208),
    "around_right": (15_225, 4_476),
}
"""Lines of the training and test files, as Lake & Baroni 2018 and Loula et al. 2018 have them."""


def released() -> Path:
    path = Path(os.environ.get("GLIMPSE_DATA", "")) / FOLDER / FILE
    if not path.is_file():
        pytest.skip(f"the released files are not in {FOLDER} in the folder GLIMPSE_DATA names")
    return path


def meaning(command: str) -> list[str]:
    """The actions of a command, by the rules of the paper's figure 6, read from the outside in."""
    if " after " in command:
        first, second = command.split(" after ")
        return meaning(second) + meaning(first)
    if " and " in command:
        return [action for part in command.split(" and ") for action in meaning(part)]
    for word, times in (("twice", 2), ("thrice", 3)):
        if command.endswith(f" {word}"):
            return meaning(command.removesuffix(f" {word}")) * times
    verb, *rest = command.split()
    own = [] if verb == "turn" else [verb]
    if not rest:
        return own
    turn = [f"turn {rest[-1]}"]
    return {"around": (turn + own) * 4, "opposite": turn * 2 + own}.get(rest[0], turn + own)


def test_every_command_means_what_the_paper_says_and_each_action_has_the_word_that_names_it() -> None:
    commands = all_commands()
    assert len({command.words for command in commands}) == len(commands) == 20_910
    assert max(len(command.words) for command in commands) == 9
    assert max(len(command.actions) for command in commands) == 48
    for command in commands:
        said = [ACTIONS[action] for action in command.actions]
        assert said == meaning(" ".join(command.words))
        names = [command.words[place] for place in command.named]
        assert [action.removeprefix("turn ") for action in said] == names


@pytest.mark.parametrize("partition", SIZES)
def test_partitions_have_their_published_sizes(partition: str) -> None:
    pairs = load_scan(partition)  # type: ignore[arg-type]
    counts = np.bincount(pairs.split, minlength=3)
    assert (counts[:2].sum(), counts[2]) == SIZES[partition]
    assert counts.min() > 0


@pytest.mark.parametrize("partition", RELEASED)
def test_partitions_are_those_that_were_released(partition: str) -> None:
    names = {**dict(zip(ACTIONS[:4], ("I_WALK", "I_LOOK", "I_RUN", "I_JUMP"), strict=True))}
    names |= {"turn left": "I_TURN_LEFT", "turn right": "I_TURN_RIGHT"}
    path = released()
    pairs = load_scan(partition)  # type: ignore[arg-type]
    with tarfile.open(path) as archive:
        for half in ("train", "test"):
            file = archive.extractfile(RELEASED[partition].format(half))
            assert file is not None
            expected = Counter(line.strip() for line in file.read().decode().splitlines())
            rows = np.flatnonzero((pairs.split == SPLITS.index("test")) == (half == "test"))
            found = Counter(
                f"IN: {pairs.vocabulary.decode(pairs.tokens[row])} OUT: "
                + " ".join(names[ACTIONS[said]] for said in pairs.said[row, : pairs.due[row] - 1])
                for row in rows
            )
            assert found == expected


def test_wrong_arguments_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="partition must be one of random, simple, length"):
        load_scan("long")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match='data= is the file of partition="simple"'):
        load_scan("jump", tmp_path)
    monkeypatch.setenv("GLIMPSE_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r'brendenlake/SCAN on GitHub.*partition="random"'):
        load_scan("simple", tmp_path)
    (tmp_path / FILE).write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"scan.tar.xz: damaged, or not as SCAN is released"):
        load_scan("simple", tmp_path)
    for arguments, message in (
        ({"actions": 0}, "actions must be an integer of at least 1"),
        ({"looks": -1}, "looks must be an integer of at least 0"),
        ({"scales": 5}, "scales must be 1 to 4"),
        ({"split": "dev"}, "unknown split 'dev'"),
    ):
        with pytest.raises(ValueError, match=message):
            gym.make("glimpse_env:Glimpse/Scan-v0", **arguments)


@pytest.mark.parametrize("place", ["numpy", "cpu"])
@pytest.mark.parametrize("partition", PARTITIONS[2:])
def test_the_oracle_looks_at_the_naming_words_and_random_places_seldom_do(place: str, partition: str) -> None:
    backend = get_backend("numpy") if place == "numpy" else get_backend("torch", place)
    task = Scan(backend, partition=partition, split="test", order="sequential")  # type: ignore[arg-type]
    seeds, episodes = backend.asarray(np.zeros(60, np.int64)), backend.asarray(np.arange(60))
    for gaze, least, most in (("oracle", 1, 1), ("random", 0.05, 0.25), ("sweep", 0, 0.5)):
        state, places = task.begin(seeds, episodes), task.gaze(gaze, seeds, episodes)
        hit, share = np.zeros(60), np.zeros(60)
        alive = np.ones(60, bool)
        for step in range(task.horizon):
            action = {"location": places[:, min(step, task.horizon - 2)], "answer": task.due(state)[0]}
            outcome = task.act(state, action)
            state = outcome.state
            ended = backend.to_numpy(outcome.terminated) & alive
            hit[ended] = backend.to_numpy(outcome.info["hit"])[ended]
            assert backend.to_numpy(outcome.info["correct"])[ended].all()
            share += backend.to_numpy(outcome.reward) * alive
            alive &= ~ended
        assert not alive.any()
        np.testing.assert_allclose(share, 1, atol=1e-5)
        assert least <= hit.mean() <= most


def test_an_answer_is_right_where_all_of_it_is() -> None:
    env = gym.make("glimpse_env:Glimpse/Scan-v0", looks=1, actions=4, render_mode="ansi")
    for wrong in (None, 0, 2):
        _, info = env.reset(seed=4, options={"episode": 11})
        total, step, ended, earned = 0, 0, False, 0.0
        while not ended:
            target = int(env.unwrapped.task.due(env.unwrapped._state)[0][0])  # type: ignore[attr-defined]
            answer = (target + 1) % 7 if step - 1 == wrong or step == 0 else target
            _, reward, ended, _, info = env.step({"location": np.zeros(1, np.float32), "answer": answer})
            assert info["target"] == target
            step, earned = step + 1, earned + reward
            total += ended or step > 1
        assert info["is_success"] == (wrong is None)
        assert earned == pytest.approx(1 if wrong is None else 1 - 1 / total)
        shown = env.render()
        assert isinstance(shown, str)
        assert "right:" in shown
        assert f"step {step} of at most" in shown


def test_what_a_memory_recalls_is_counted_on_the_words_that_name() -> None:
    env = gym.make_vec("glimpse_env:Glimpse/ReadScan-v0", num_envs=3, order="sequential", backend="torch", device="cpu")
    torch.manual_seed(0)  # by chance an untrained agent recalls the naming words of the shortest commands alone
    agents = {}
    for memory in ("hopfield", "none"):
        options = ("slots=64", "width=4") if memory == "hopfield" else ()
        config = AgentConfig(width=8, core="lstm", memory=memory, memory_options=options)
        agents[memory] = AttentionAgent(spec_of(env), config)
    share = recalled_words(agents["hopfield"], env, 60, 0)
    assert share is not None
    assert 0 <= share < 1
    assert recalled_words(agents["none"], env, 6, 0) is None
    (trace,) = record_traces(agents["hopfield"], env, np.array([200]))
    story = env.unwrapped.story(0, np.array([200]))  # type: ignore[attr-defined]
    count = int(story.count[0])
    assert trace.role == "aligned"
    assert len(trace.text) == count
    assert trace.aligned is not None
    assert trace.attention is not None
    assert trace.read is not None
    assert (trace.aligned[:-1] >= 0).all()
    assert trace.attention.shape == (len(trace.due), count)  # type: ignore[arg-type]
    # the words lie in the first slots, in order
    np.testing.assert_allclose(trace.attention, trace.read[count:, 0, :count], atol=1e-6)
