"""The commands recommend and similar, on small data."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import zlib
from pathlib import Path
from types import SimpleNamespace

import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from recsys import store
from recsys.workflows import recommend as recommend_workflow
from recsys.workflows.examine_data import examine_data
from tests.cli.run import complaint, recsys
from tests.cli.samples import COLUMNS, RATINGS


def test_a_batch_writes_the_contract_for_every_user(work: Path) -> None:
    done = recsys("recommend", "--model", "model", "--data", "data", "-k", 3, "--out", "out.parquet", cwd=work)
    assert done.returncode == 0, done.stderr
    table = pq.read_table(work / "out.parquet")
    assert table.column_names == ["user_id", "rank", "item_id", "score"]
    frame = table.to_pandas()
    users = pq.read_table(work / "data" / "users.parquet")["user_id"].to_pylist()
    assert frame["user_id"].drop_duplicates().tolist() == users
    assert (frame.groupby("user_id")["rank"].apply(list).map(lambda ranks: ranks == [1, 2, 3])).all()
    seen = pq.read_table(work / "data" / "interactions.parquet").to_pandas()
    assert not set(zip(frame.user_id, frame.item_id, strict=True)) & set(zip(seen.user_id, seen.item_id, strict=True))
    assert (frame.groupby("user_id")["score"].apply(lambda s: s.is_monotonic_decreasing)).all()
    assert not list(work.glob(".out.parquet*"))


def test_listed_users_keep_their_order_and_unusable_lines_are_rejected(work: Path) -> None:
    (work / "users.txt").write_text("user_id\nu7\nnobody\n\nu3\nu7\n")
    done = recsys(
        "recommend", "--model", "model", "--data", "data", "-k", 2, "--users", "users.txt",
        "--out", "some.parquet", "--json", cwd=work,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["users"], result["rows"], result["rejected_users"]) == (2, 4, 2)
    assert pq.read_table(work / "some.parquet")["user_id"].to_pylist() == ["u7", "u7", "u3", "u3"]
    rejected = pq.read_table(work / "some.rejected.parquet").to_pylist()
    assert [(row["file"], row["line"], row["reason"], row["text"]) for row in rejected] == [
        ("users.txt", 3, "user is not in the data", "nobody"),
        ("users.txt", 6, "user is listed twice", "u7"),
    ]


def test_a_file_that_recsys_did_not_write_is_not_replaced_together_with_the_output(work: Path) -> None:
    (work / "one.txt").write_text("u7\nnobody\n")
    (work / "mine.rejected.parquet").write_text("precious")
    command = ("recommend", "--model", "model", "--data", "data", "--users", "one.txt", "--out", "mine.parquet")
    line = complaint(recsys(*command, cwd=work))
    assert "mine.rejected.parquet: would be replaced together with mine.parquet; move it" in line
    assert (work / "mine.rejected.parquet").read_text() == "precious" and not (work / "mine.parquet").exists()
    (work / "mine.json").write_text('{"ndcg": 1}')
    line = complaint(recsys("report", "--model", "model", "--data", "data", "--out", "mine.html", cwd=work))
    assert "mine.json: would be replaced together with mine.html" in line


def test_include_seen_lists_seen_items(work: Path) -> None:
    done = recsys(
        "recommend", "--model", "model", "--data", "data", "-k", 50, "--include-seen", "--out", "all.parquet", cwd=work
    )
    assert done.returncode == 0, done.stderr
    assert pq.read_table(work / "all.parquet").num_rows == 30 * 20  # k beyond the catalogue: everything, once


def test_users_who_were_not_in_training_are_folded_in(work: Path) -> None:
    (work / "later.csv").write_text(RATINGS + "newcomer,m1,5,1000000000\nnewcomer,m2,4,1000000001\n")
    assert recsys("prepare", "later.csv", "--out", "later", *COLUMNS, cwd=work).returncode == 0
    done = recsys("recommend", "--model", "model", "--data", "later", "-k", 2, "--out", "l.parquet", "--json", cwd=work)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["origin"] == {"stored": 30, "folded in": 1}


def test_lists_for_one_user_and_a_new_user_are_printed(work: Path) -> None:
    done = recsys("recommend", "--model", "model", "--data", "data", "--user", "u5", "-k", 2, cwd=work)
    assert done.returncode == 0, done.stderr
    assert "For user u5" in done.stdout
    assert "The Film" in done.stdout
    done = recsys(
        "recommend", "--model", "model", "--rate", "film 3=5", "--rate", "Film 4, The (1964)=4", "--json", cwd=work
    )
    assert done.returncode == 0, done.stderr
    listed = json.loads(done.stdout)
    assert listed["origin"] == "folded in"
    assert not {"m3", "m4"} & {row["item_id"] for row in listed["recommendations"]}


BATCH = ("recommend", "--model", "model", "--data", "data")
NEIGHBOURS = ("recommend", "--model", "model", "--neighbours")


def test_partitions_replace_partitions_and_nothing_else(work: Path) -> None:
    for k in (3, 2):
        done = recsys(*BATCH, "-k", k, "--out", "lists", "--partitions", 4, "--titles", cwd=work)
        assert done.returncode == 0, done.stderr
    table = pyarrow.dataset.dataset(work / "lists", partitioning="hive").to_table().to_pandas()
    assert len(table) == 2 * 30 and list(table) == ["user_id", "rank", "item_id", "title", "score", "part"]
    assert all(zlib.crc32(row.user_id.encode()) % 4 == row.part for row in table.itertuples())
    assert recsys(*BATCH, "-k", 2, "--out", "one.parquet", cwd=work).returncode == 0
    whole = pq.read_table(work / "one.parquet").to_pandas().sort_values(["user_id", "rank"], ignore_index=True)
    assert table.sort_values(["user_id", "rank"], ignore_index=True)[list(whole)].equals(whole)
    (work / "lists" / "part=0" / "notes.txt").write_text("mine")
    for out, line in (("lists", "lists: contains 'part=0', which recsys did not write"), ("data", "is in the input")):
        assert line in complaint(recsys(*BATCH, "--out", out, "--partitions", 2, cwd=work)) or out == "data"
    assert len(list((work / "lists").glob("part=*/recommendations.parquet"))) == 4
    assert store.damaged_files(work / "lists", store.LISTS) == []
    (work / "lists" / "part=3" / "recommendations.parquet").write_bytes(b"")
    [damage] = [found for found in examine_data(work / "lists") if found.status == "problem"]
    assert "part=3/recommendations.parquet is not the file that was written" in damage.found
    assert recsys("train", "--data", "data", "--out", "lists", cwd=work).returncode == 2
    assert "is in" in complaint(recsys(*BATCH, "--out", "lists/part=1/x.parquet", cwd=work))


def test_users_are_read_from_standard_input(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for text, status in (("u7\nnobody\nu3\n", 0), ("nobody\n", 2), ("\n", 2), ("\xff", 2)):
        content = io.BytesIO(text.encode("latin-1"))
        monkeypatch.setattr("recsys.ingest.users.sys", SimpleNamespace(stdin=SimpleNamespace(buffer=content)))
        done = recsys(*BATCH, "-k", 2, "--users", "-", "--out", "in.parquet", cwd=work)
        assert done.returncode == status, done.stderr
        assert status == 0 or complaint(done).startswith("recsys: stdin: ")
    assert pq.read_table(work / "in.parquet")["user_id"].to_pylist() == ["u7", "u7", "u3", "u3"]
    assert pq.read_table(work / "in.rejected.parquet")["file"].to_pylist() == ["stdin"]


def test_neighbours_are_those_of_similar(work: Path) -> None:
    done = recsys(*NEIGHBOURS, "-k", 3, "--metric", "euclidean", "--titles", "--out", "n.jsonl", "--json", cwd=work)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["items"] == 20
    rows = [json.loads(line) for line in (work / "n.jsonl").read_text().splitlines()]
    assert len(rows) == 60
    done = recsys("similar", "Film 7", "--model", "model", "-k", 3, "--metric", "euclidean", "--json", cwd=work)
    of_seven = [(row["neighbour_title"], row["rank"]) for row in rows if row["title"] == "The Film 7 (1967)"]
    assert of_seven == [(row["title"], row["rank"]) for row in json.loads(done.stdout)["similar"]]


def test_filters_of_a_batch_and_of_one_user(work: Path) -> None:
    (work / "shop.txt").write_text("item_id\nm1\nm2\nm3\nm99\nm4\n")
    (work / "blocked.txt").write_text("m2\n")
    files = ("--allow", "shop.txt", "--deny", "blocked.txt")
    done = recsys(*BATCH, *files, "--years", "1962:", "--include-seen", "--out", "f.csv", "--json", cwd=work)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["candidates"], result["rows"], result["rejected_items"]) == (2, 60, 1)
    assert {line.split(",")[2] for line in (work / "f.csv").read_text().splitlines()} == {'"item_id"', '"m3"', '"m4"'}
    assert pq.read_table(work / "f.rejected.parquet").to_pylist()[0]["reason"] == "item is not in the model"
    done = recsys("recommend", "--model", "model", "--rate", "Film 3=5", "--years", "1970:1971", "--json", cwd=work)
    assert {row["item_id"] for row in json.loads(done.stdout)["recommendations"]} == {"m10", "m11"}


WRONG = {
    ("--format", "xml"): "--format 'xml' is not one of parquet, csv, jsonl",
    ("--out", "old.xlsx"): "old.xlsx: '.xlsx' is no known format",
    ("--partitions", "0"): "--partitions",
    ("--partitions", "2"): "old.parquet: exists and is not a folder",
    ("--genre", "Dramma"): "there is no genre 'Dramma'; the genres are Comedy, Drama",
    ("--years", "1990:1980"): "the first year, 1990, is after the last, 1980",
    ("--years", ":"): "--years ':' is not FIRST:LAST",
    ("--years", "1800"): "no movie passes all filters",
    ("--max-ratings", "-1"): "--max-ratings",
    ("--min-ratings", "9", "--max-ratings", "8"): "the least number of ratings, 9, is above the most, 8",
    ("--allow", "nowhere.txt"): "nowhere.txt: no such file of item ids",
    ("--allow", "empty.txt"): "empty.txt: holds no item ids",
    ("--deny", "strange.txt"): "strange.txt: line 1: item 'm99' is not in the model, nor is any other listed item",
    ("--deny", "old.parquet", "--out", "old.parquet"): "old.parquet: is an input, which would be overwritten",
    ("--metric", "dot"): "--metric does not apply to --out, only to --neighbours",
    ("--neighbours",): "--data does not apply to --neighbours",
    ("--user", "u1"): "give one of --out FILE",
}


@pytest.mark.parametrize("options", WRONG, ids=" ".join)
def test_wrong_options_give_one_line_and_leave_the_old_result(work: Path, options: tuple[str, ...]) -> None:
    (work / "old.parquet").write_bytes(b"the old result")
    (work / "empty.txt").touch()
    (work / "strange.txt").write_text("m99\nm98\n")
    before = {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}
    assert WRONG[options] in complaint(recsys(*BATCH, "--out", "old.parquet", *options, cwd=work))
    assert {path: path.read_bytes() for path in work.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "words",
    [
        (*NEIGHBOURS,), (*NEIGHBOURS, "--user", "u1"), (*NEIGHBOURS, "--out", "n.csv", "--partitions", "2"),
        (*NEIGHBOURS, "--out", "n.csv", "--genre", "Drama"), (*NEIGHBOURS, "--out", "n.csv", "--metric", "angle"),
        ("recommend", "--model", "model", "--rate", "Film 3=5", "--titles"),
        ("recommend", "--model", "model", "--data", "data", "--user", "u1", "--format", "csv"),
        ("recommend", "--model", "model", "--data", "data", "--user", "u1", "--deny", "blocked.txt"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_modes_refuse_the_options_of_each_other(work: Path, words: tuple[str, ...]) -> None:
    complaint(recsys(*words, cwd=work))
    assert not (work / "n.csv").exists()


def test_similar_accepts_a_loosely_typed_title_and_prints_json(work: Path) -> None:
    done = recsys("similar", "FILM 7", "--model", "model", "-k", 3, "--json", cwd=work)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["title"] == "The Film 7 (1967)"
    assert [row["rank"] for row in found["similar"]] == [1, 2, 3]
    assert "m7" not in [row["item_id"] for row in found["similar"]]


def test_a_model_without_vectors_recommends_but_has_no_neighbours_or_map(work: Path) -> None:
    assert recsys("train", "--data", "data", "--out", "pop", "--model", "popular", cwd=work).returncode == 0
    done = recsys("recommend", "--model", "pop", "--data", "data", "--out", "pop.parquet", cwd=work)
    assert done.returncode == 0, done.stderr
    assert "no user and item vectors" in complaint(recsys("similar", "Film 3", "--model", "pop", cwd=work))
    assert "no user and item vectors" in complaint(recsys("map", "--model", "pop", cwd=work))


def test_item_weights_recommend_explain_and_come_back_from_disk(work: Path) -> None:
    for model in ("ease", "itemknn"):
        assert recsys("train", "--data", "data", "--out", model, "--model", model, cwd=work).returncode == 0
        done = recsys("recommend", "--model", model, "--data", "data", "--user", "u5", "-k", 2, cwd=work)
        assert done.returncode == 0 and "The Film" in done.stdout
        assert "no user and item vectors" in complaint(recsys("map", "--model", model, cwd=work))


def test_a_broken_model_is_reported_with_the_command_to_run(work: Path, tmp_path: Path) -> None:
    for file in (work / "model").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "item_factors.parquet").write_bytes(b"PAR1 nonsense PAR1")
    line = complaint(recsys("similar", "Film 3", "--model", tmp_path))
    assert str(tmp_path) in line and "recsys train" in line


STOPPED = """
import os, signal
from recsys import atomic
from recsys.cli.main import main
from recsys import store
from recsys.workflows import recommend as recommend_workflow
from recsys.workflows.examine_data import examine_data
recommend_workflow.PART_ROWS = 12
left, replace = int(os.environ["STOP_AFTER"]), atomic.Path.replace
def counted(self, target):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), int(os.environ["STOP_BY"]))
    return replace(self, target)
atomic.Path.replace = counted
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""
"""Sends the process a signal before the n-th file that is written gets its name: a part, the plan or the output."""


@pytest.mark.slow
def test_a_batch_that_is_stopped_and_resumed_gives_the_same_bytes(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recommend_workflow, "PART_ROWS", 12)  # 3 of the 30 users
    assert recsys(*BATCH, "-k", 4, "--out", "whole.parquet", cwd=work).returncode == 0

    def run(after: int, by: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", STOPPED, *BATCH, "-k", "4", "--resume", "--out", "parts.parquet", "--json"],
            cwd=work, capture_output=True, text=True, env={**os.environ, "STOP_AFTER": str(after), "STOP_BY": str(by)},
        )  # fmt: skip

    assert run(5, signal.SIGKILL).returncode == -signal.SIGKILL
    assert not (work / "parts.parquet").exists()
    interrupted = run(2, signal.SIGINT)
    assert interrupted.returncode == 130, interrupted.stderr
    assert "--resume" in interrupted.stderr and not (work / "parts.parquet").exists()
    resumed = recsys(*BATCH, "-k", 4, "--resume", "--out", "parts.parquet", "--json", cwd=work)
    assert resumed.returncode == 0, resumed.stderr
    assert 4 <= json.loads(resumed.stdout)["resumed_parts"] < 10
    assert (work / "parts.parquet").read_bytes() == (work / "whole.parquet").read_bytes()
    assert not list(work.glob(".parts.parquet*"))
