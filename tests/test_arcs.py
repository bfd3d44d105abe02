"""Treebanks: files, templates and rules; and the task whose answer is the last look."""

from __future__ import annotations

import lzma
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from glimpse_env.backend import get_backend
from glimpse_env.images import SPLITS
from glimpse_env.rare_words import vocabulary_of
from glimpse_env.tasks.arcs import Arcs
from glimpse_env.treebank_files import RELEASES, find_files
from glimpse_env.treebanks import load_treebank, next_word, usual_offset

SENTENCE = """# text = The dogs cannot sleep.
1\tThe\tthe\tDET\t_\t_\t2\tdet\t_\t_
2\tdogs\tdog\tNOUN\t_\t_\t5\tnsubj\t_\t_
3-4\tcannot\t_\t_\t_\t_\t_\t_\t_\t_
3\tcan\tcan\tAUX\t_\t_\t5\taux\t_\t_
4\tnot\tnot\tPART\t_\t_\t5\tadvmod:neg\t_\t_
5\tsleep\tsleep\tVERB\t_\t_\t0\troot\t_\t_
5.1\tsleep\t_\t_\t_\t_\t_\t_\t_\t_
6\t.\t.\tPUNCT\t_\t_\t5\tpunct\t_\t_
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A treebank of one's own: six sentences for training, and one for each other split."""
    (tmp_path / "own-train.conllu").write_text("\n".join([SENTENCE] * 6))
    (tmp_path / "own-dev.conllu.xz").write_bytes(lzma.compress(SENTENCE.replace("dogs", "frogs").encode()))
    (tmp_path / "own-test.conllu").write_text(SENTENCE.replace("advmod:neg", "odd") + "\n\n")
    return tmp_path


def test_sentences_of_ones_own_are_read_as_they_are_written(folder: Path) -> None:
    bank = load_treebank("ewt", folder)
    assert [bank.vocabulary.decode(row) for row in bank.tokens[[0, 6]]] == [
        "the dogs can not sleep .",
        "the <unknown> can not sleep .",
    ]
    assert bank.head[0].tolist() == [1, 4, 4, 4, 4, 4]
    assert [bank.relations[number] for number in bank.relation[0]] == ["det", "nsubj", "aux", "advmod", "root", "punct"]
    assert bank.relation[-1, 3] == -1  # no training sentence has it
    assert np.bincount(bank.split).tolist() == [6, 1, 1]
    assert next_word(bank, "test") == pytest.approx(100 * (1 - 2 / 6))  # "the" and "not"
    assert usual_offset(bank, "test") == 0
    again = load_treebank("ewt", folder, bank.vocabulary.words[:4], ("root", "det"))
    assert again.relation[0].tolist() == [1, -1, -1, -1, 0, -1]


def test_files_are_told_apart_by_whole_words_of_their_names(folder: Path) -> None:
    for half in ("train", "dev", "test"):
        (path,) = folder.glob(f"own-{half}.*")
        path.rename(folder / path.name.replace("own-", "latest_training."))
    (folder / "notes-test.txt").write_text("no treebank")
    (folder / "old-test.conllu.bak").write_text("no treebank")
    assert [path.name for path in find_files("ewt", folder).values()] == [
        "latest_training.train.conllu",
        "latest_training.dev.conllu.xz",
        "latest_training.test.conllu",
    ]
    (folder / "more-train.conllu").write_text(SENTENCE.replace("# text = The", "# text = \u2028 The"))
    with pytest.raises(ValueError, match=r"has several files of one split: latest_training.train.conllu, more-train"):
        find_files("ewt", folder)
    (folder / "latest_training.train.conllu").unlink()
    assert np.bincount(load_treebank("ewt", folder).split).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\tone\t_\n", "own-dev.conllu: damaged, or not in the CoNLL-U format .line 1 has 3 columns in place of 10"),
        (SENTENCE.replace("\t5\tnsubj", "\tx\tnsubj"), "line 3: the head 'x' is no number"),
        (SENTENCE.replace("\t5\tnsubj", "\t9\tnsubj"), "has a head that is no word of it"),
    ],
)
def test_damaged_files_say_where(folder: Path, text: str, message: str) -> None:
    (folder / "own-dev.conllu.xz").unlink()
    (folder / "own-dev.conllu").write_text(text)
    with pytest.raises(ValueError, match=message):
        load_treebank("atis", folder)


def test_what_is_nowhere_says_where_it_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIMPSE_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"UniversalDependencies/UD_English-Atis.*treebank=\"templates\" needs"):
        load_treebank("atis")
    with pytest.raises(ValueError, match='treebank must be "templates" or one of atis, ewt'):
        load_treebank("gum")
    with pytest.raises(ValueError, match="made up: there is no data= to read"):
        load_treebank("templates", tmp_path)


@pytest.mark.parametrize(
    ("name", "counts", "offset"), [("atis", (4274, 572, 586), 47.3), ("ewt", (12544, 2001, 2077), 66.2)]
)
def test_released_treebanks_have_their_published_sizes(name: str, counts: tuple[int, ...], offset: float) -> None:
    try:
        find_files(name, None)
    except FileNotFoundError:
        pytest.skip(f"the released files are not in {RELEASES[name].folder} in the folder GLIMPSE_DATA names")
    bank = load_treebank(name)
    assert tuple(np.bincount(bank.split)) == counts
    assert next_word(bank, "test") == pytest.approx({"atis": 63.0, "ewt": 71.1}[name], abs=0.05)
    assert usual_offset(bank, "test") == pytest.approx(offset, abs=0.05)


def test_templates_hang_together() -> None:
    bank = load_treebank("templates")
    for head, count in zip(bank.head[::50], bank.length[::50], strict=True):
        own = head[:count]
        (root,) = np.flatnonzero(own == np.arange(count))
        above = own
        for _ in range(count):
            above = own[above]
        assert (above == root).all()  # every word leads to the root
    long = np.abs(bank.head - np.arange(bank.head.shape[1]))[bank.head >= 0] > 5
    assert 0.05 < long.mean() < 0.2
    assert 40 < usual_offset(bank, "test") < 60
    assert {*bank.split} == {*range(len(SPLITS))}


def test_rare_words_are_known_by_their_endings() -> None:
    book = vocabulary_of([["run", "walking"], ["run", "talking"], ["run", "sleeping"], ["once"]], always=["kept"])
    assert set(book.words[2:]) == {"run", "…ng", "kept"}


@pytest.mark.parametrize("place", ["numpy", "cpu"])
def test_the_last_look_is_the_answer(folder: Path, place: str) -> None:
    backend = get_backend("numpy") if place == "numpy" else get_backend("torch", place)
    task = Arcs(backend, treebank="ewt", data=folder, split="validation", order="sequential", num_glimpses=3)
    assert task.num_episodes == 6
    numbers = backend.asarray(np.zeros(6, np.int64)), backend.asarray(np.arange(6))
    head = np.array([1, 4, 4, 4, 4, 4])
    for last in range(6):
        state = task.begin(*numbers)
        assert backend.to_numpy(state["word"]).tolist() == list(range(6))
        for word in (head, np.full(6, last), np.full(6, 5)):  # the last one leads nowhere
            place_of = task.centre(backend.asarray(word), state["count"])[:, None]
            outcome = task.act(state, {"location": place_of, "answer": backend.asarray(np.zeros(6, np.int64))})
            state = outcome.state
        assert backend.to_numpy(outcome.reward).tolist() == (head == last).tolist()
        assert backend.to_numpy(outcome.info["correct"]).tolist() == (head == last).tolist()
        assert backend.to_numpy(outcome.info["hit"]).tolist() == [1.0] * 6  # all of them were there before
    assert backend.to_numpy(task.groups(*numbers)).tolist() == [1, 2, 2, 1, 0, 1]


def test_it_is_drawn_with_the_word_that_was_found(folder: Path) -> None:
    env = gym.make("glimpse_env:Glimpse/Arcs-v0", treebank="ewt", data=folder, num_glimpses=2, render_mode="ansi")
    env.reset(options={"episode": 3})
    word, target = env.unwrapped.task, 0  # type: ignore[attr-defined]
    env.step({"location": np.array([-1], np.float32), "answer": target})
    env.step({"location": np.array([0], np.float32), "answer": target})
    assert "the, advmod (" in env.render()  # type: ignore[operator]
    assert word.cheap_controls().keys() == {"the next word", "the usual distance of the part of speech"}
