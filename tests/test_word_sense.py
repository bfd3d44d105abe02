"""Senses of words: files, what a glimpse of a hidden sentence shows, and what can be learned from it."""

from __future__ import annotations

import io
import json
import lzma
import os
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glimpse_env.backend import get_backend
from glimpse_env.images import SPLITS
from glimpse_env.planted_senses import plant
from glimpse_env.sense_clues import telling_words
from glimpse_env.sense_files import RELEASES
from glimpse_env.senses import load_senses
from glimpse_env.tasks.word_sense import WordSense

WORDS = ("river", "money", "fish", "loan", "walk", "the", "a", "big")


def archive(path: Path, files: dict[str, str]) -> Path:
    with tarfile.open(path, "w:xz") as made:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            made.addfile(member, io.BytesIO(text.encode()))
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty sentences of "bank" and "bat" with two senses each, and some of "lone", which has one."""
    rows = ["lemma\tpos\tsense\tindex\ttokens\tsplit"]
    for number in range(40):
        half = "test" if number % 5 == 0 else "train"
        clue = ("river", "money")[number % 2]
        rows.append(f"bank\tNOUN\tsense{number % 2}\t{2}\tthe {clue} Bank is big {number}\t{half}")
        rows.append(f"bat\tNOUN\tsense{number // 2 % 2}\t{0}\tbats {WORDS[number // 2 % 2 + 2]} {number}\t{half}")
    rows.append("lone\tNOUN\tonly\t0\tlone words here\ttrain")
    path = tmp_path_factory.mktemp("senses") / "own.tsv"
    path.write_text("\n".join(rows) + "\n")
    return path


def make(table: Path, place: str = "numpy", **kwargs: Any) -> WordSense:
    backend = get_backend("numpy") if place == "numpy" else get_backend("torch", place)
    return WordSense(backend, **{"words": "noad", "data": table, "order": "sequential", "split": "test", **kwargs})


def begin(task: WordSense, rows: int) -> dict[str, Any]:
    return task.begin(*(task.backend.asarray(numbers) for numbers in (np.zeros(rows, np.int64), np.arange(rows))))


def test_a_table_becomes_sentences_whose_rare_words_are_endings(table: Path) -> None:
    senses = load_senses("noad", table)
    assert senses.words == ("bank", "bat")
    assert senses.answers == ("bank: sense0", "bank: sense1", "bat: sense0", "bat: sense1")
    shown = [senses.vocabulary.decode(row) for row in senses.tokens]
    assert shown[0] == "the river bank is big <unknown>"
    assert [
        senses.vocabulary.words[row[place]] for row, place in zip(senses.tokens[:2], senses.place, strict=False)
    ] == [
        "bank",
        "bats",
    ]
    assert set(senses.split) == {0, 1, 2}
    first = senses.tokens[0][senses.clues[0]]
    assert [senses.vocabulary.words[token] for token in first[senses.clues[0] >= 0]][:1] == ["river"]
    assert (senses.split == SPLITS.index("test")).sum() == 16
    again = load_senses("noad", table, senses.vocabulary.words, ("bank: sense1",))
    assert set(again.sense) == {0, -1}
    trained = make(table, vocabulary=senses.vocabulary.words, answers=("bank: sense1",))
    assert trained.cheap_controls()["most frequent sense"] > 50  # it knows one sense of four


def test_released_archives_are_read_as_they_are(tmp_path: Path) -> None:
    head = '"homograph"\t"wordid"\t"sentence"\t"start"\t"end"\n'
    lines = ['"lead"\t"lead_met"\t"Né of lead, it is heavy."\t7\t11\n', '"lead"\t"lead_go"\t"They lead us."\t5\t9\n']
    names = [f"data/{half}/lead.tsv" for half in ("train", "eval")]
    path = archive(tmp_path / "homographs.tar.xz", {name: head + "".join(lines * 9) for name in names})
    senses = load_senses("homographs", path)
    assert senses.answers == ("lead: lead_go", "lead: lead_met")
    assert senses.vocabulary.decode(senses.tokens[0]) == "né of lead , it is heavy ."
    assert senses.place.tolist()[:2] == [2, 1]
    files = {f"C/bass/{half}.{part}.txt": "" for half in ("train", "test") for part in ("data", "gold")}
    for half in ("train", "test"):
        files[f"C/bass/{half}.data.txt"] = "1\ta bass swims\n0\tbass plays\n" * 12
        files[f"C/bass/{half}.gold.txt"] = "0\n1\n" * 12
    files["C/bass/classes_map.txt"] = json.dumps({"0": "fish", "1": "sound"})
    coarse = load_senses("coarse", archive(tmp_path / "CoarseWSD-20.tar.xz", files))
    assert coarse.answers == ("bass: fish", "bass: sound")
    assert coarse.place.tolist()[:2] == [1, 0]
    (tmp_path / "noad55.tsv.xz").write_bytes(lzma.compress(b"lemma\tsense\tindex\ttokens\nlie\ta\t7\ttoo short\n"))
    with pytest.raises(ValueError, match=r"noad55.tsv.xz: damaged.*line 2: index '7' is no word of 2"):
        load_senses("noad", tmp_path)
    with pytest.raises(ValueError, match="damaged, or not as coarse is released"):
        load_senses("coarse", tmp_path / "noad55.tsv.xz")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks the column 'lemma'; it has none"),
        ("lemma\tsense\ttokens\nlie\ta\tb\n", "lacks the column 'index'; it has lemma, sense, tokens"),
        ("lemma\tsense\tindex\ttokens\nlie\ta\n", "line 2 has fewer columns"),
        ("lemma\tsense\tindex\ttokens\tsplit\nlie\ta\t0\tlie b\tdev\n", "line 2: the split 'dev' is not one of train"),
        ("lemma\tsense\tindex\ttokens\nlie\ta\t0\tlie b\n", "no word has two senses in its training sentences"),
    ],
)
def test_a_table_of_ones_own_that_is_odd_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "own.tsv").write_text(text)
    with pytest.raises(ValueError, match=message):
        load_senses("noad", tmp_path / "own.tsv")


def test_the_splits_of_a_table_are_its_own(tmp_path: Path) -> None:
    rows = [f"lie\ts{n % 2}\t0\tlie <unknown> {n}\t{('Train', 'validation', 'TEST')[n // 4]}" for n in range(12)]
    (tmp_path / "own.tsv").write_bytes("\r\n".join(["\ufefflemma\tsense\tindex\ttokens\tsplit", *rows]).encode())
    senses = load_senses("noad", tmp_path / "own.tsv")
    assert senses.split.tolist() == [0] * 4 + [1] * 4 + [2] * 4


def test_what_is_nowhere_says_where_it_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIMPSE_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"CoarseWSD-20.*danlou/.*not for commercial use"):
        load_senses("coarse")
    with pytest.raises(ValueError, match='words must be "planted" or one of homographs, noad, coarse'):
        load_senses("nouns")


@pytest.mark.parametrize("place", ["numpy", "cpu"])
def test_a_glimpse_shows_a_word_and_the_words_around_in_no_order(table: Path, place: str) -> None:
    task = make(table, place)
    state = begin(task, 4)
    tokens = task.backend.to_numpy(state["tokens"])
    for word in ([2, 0, 2, 0], [0, 1, 5, 2], [5, 2, 0, 1]):
        location = task.centre(task.backend.asarray(np.array(word)), state["count"])
        if word != [2, 0, 2, 0]:
            action = {"location": location[:, None], "answer": task.backend.asarray(np.zeros(4, np.int64))}
            state = task.act(state, action).state
        seen = {name: task.backend.to_numpy(value) for name, value in task.observe(state).items()}
        for row, at in enumerate(word):
            count = int(state["count"][row])
            assert seen["tokens"][row, 0] == tokens[row, at]
            assert seen["distance"][row, 0] == at - int(state["place"][row])
            for start, reach in ((0, 1), (3, 4)):
                around = tokens[row, max(0, at - reach) : min(count, at + reach + 1)]
                padded = np.concatenate([np.zeros(2 * reach + 1 - len(around), np.int64), np.sort(around)])
                np.testing.assert_array_equal(seen["around"][row, start : start + 2 * reach + 1], padded)


def test_the_nearest_words_come_in_turn_and_the_last_answer_counts(table: Path) -> None:
    task = make(table)
    state = begin(task, 4)
    path = task.gaze("nearest", np.zeros(4, np.int64), np.arange(4))
    words = task.line_at(path[..., 0].T.ravel(), np.tile(state["count"], 4)).reshape(4, 4).T
    assert words[0].tolist() == [3, 1, 4, 0]  # of six words, the third is asked about
    assert words[1].tolist() == [1, 0, 2, 0]  # of three, the first
    for step in range(5):
        answer = state["target"] if step == 4 else 1 - state["target"] % 2
        location = path[:, min(step, 3)]
        outcome = task.act(state, {"location": location, "answer": answer})
        state = outcome.state
        assert outcome.terminated.tolist() == [step == 4] * 4
    assert outcome.reward.tolist() == [1.0] * 4
    assert "(right)" in task.render(state, 0, "ansi")


def test_planted_clues_lie_where_they_should_and_tell_the_sense() -> None:
    senses = plant((3, 7))
    rows = np.arange(len(senses.tokens))
    far = np.abs(senses.clues[:, 0] - senses.place)
    assert set(far) == {3, 4, 5, 6, 7}
    clue = [senses.vocabulary.words[token] for token in senses.tokens[rows, senses.clues[:, 0]]]
    told = [senses.answers[sense] for sense in senses.sense]
    assert all(f"word{c[4]}: {c[5]}" == answer for c, answer in zip(clue[:500], told, strict=False))
    task = WordSense(get_backend("numpy"), distance=(3, 7))
    state = begin(task, 3)
    path = task.gaze("oracle", np.zeros(3, np.int64), np.arange(3))
    assert state["path"][:, 1].tolist() == [-1] * 3
    outcome = task.act(state, {"location": path[:, 0], "answer": np.zeros(3, np.int64)})
    assert outcome.info["hit"].tolist() == [1.0] * 3
    assert set(task.gazes) == {"random", "nearest", "oracle"}


def test_words_are_made_unknown_in_training_alone_and_never_the_one_that_is_asked_about(table: Path) -> None:
    whole = make(table, split="train", unknown=1.0)
    state = begin(whole, 20)
    rows = np.arange(20)
    assert (state["tokens"] > 1).sum() == 20
    assert (state["tokens"][rows, state["place"]] > 1).all()
    np.testing.assert_array_equal(begin(make(table, unknown=1.0), 16)["tokens"], begin(make(table), 16)["tokens"])


def test_rules_without_an_agent_are_what_one_counts(table: Path) -> None:
    rules = make(table).cheap_controls()
    senses = load_senses("noad", table)
    train, test = senses.split == SPLITS.index("train"), senses.split == SPLITS.index("test")
    wrong = []
    for word, sense in zip(senses.word[test], senses.sense[test], strict=True):
        mine = senses.sense[train & (senses.word == word)]
        wrong.append(np.bincount(mine, minlength=4).argmax() != sense)
    assert rules["most frequent sense"] == pytest.approx(100 * np.mean(wrong))
    assert rules["two adjacent words"] == 0.0  # one of them tells
    planted = WordSense(get_backend("numpy"), distance=1, split="test").cheap_controls()
    assert planted["two adjacent words"] < 1
    far = WordSense(get_backend("numpy"), distance=9, split="test").cheap_controls()
    assert abs(far["two adjacent words"] - 50) < 8


def test_wrong_arguments_say_what_is_wrong(table: Path) -> None:
    for kwargs, message in (
        ({"unknown": 2.0}, "unknown is a share from 0 to 1"),
        ({"scales": 0}, "scales must be an integer of at least 1"),
        ({"words": "planted"}, "there is no data= to read"),
        ({"split": "dev"}, "unknown split 'dev'"),
        ({"saccades": "fast"}, "saccades must be"),
    ):
        with pytest.raises(ValueError, match=message):
            make(table, **kwargs)
    with pytest.raises(ValueError, match="distance"):
        WordSense(get_backend("numpy"), distance=30)


@pytest.mark.parametrize(
    ("name", "words", "sentences"), [("homographs", 144, 14311), ("noad", 55, 19374), ("coarse", 20, 33566)]
)
def test_the_released_files_where_they_are(name: str, words: int, sentences: int, recwarn: Any) -> None:
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = next(
        (Path(place) for place in (os.environ.get("GLIMPSE_DATA"), beside) if place and Path(place).is_dir()), None
    )
    file = folder and folder / RELEASES[name].folder / RELEASES[name].file
    if file is None or not file.is_file():
        pytest.skip(f"{RELEASES[name].file} is neither in GLIMPSE_DATA nor beside the repository")
    senses = load_senses(name, file)
    assert (len(senses.words), len(senses.tokens)) == (words, sentences)
    assert (senses.sense[senses.split == 0] >= 0).all()
    assert all(set(senses.sense[senses.split == part]) for part in range(3))


def test_telling_words_are_those_of_other_sentences_of_the_same_sense() -> None:
    """Word 10 is asked about; 20 stands with its sense 0, 21 with 1, 30 with both, 40 and 41 once."""
    rows = [[10, 20, 30, 40], [10, 20, 30, 0], [10, 21, 30, 41], [10, 21, 30, 0], [10, 20, 21, 40]]
    sense = np.array([0, 0, 1, 1, -1])
    made = telling_words(
        np.array(rows, np.int32), np.zeros(5, int), np.zeros(5, int), sense, np.array([True] * 4 + [False]), 2
    )
    assert made[0].tolist() == [1, -1]  # not 40, which no other sentence has
    assert made[2].tolist() == [1, -1]
    assert made[4].tolist() == [-1, -1]  # of an unknown sense
    unseen = telling_words(
        np.array(rows, np.int32), np.zeros(5, int), np.zeros(5, int), np.array([0, 0, 1, 1, 0]), np.arange(5) < 4, 2
    )
    assert unseen[4].tolist() == [1, 3]  # 20, in two sentences of its sense, then 40, in one
