"""The commands recommend and similar, on small data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

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


@pytest.mark.slow
def test_an_interrupted_batch_is_resumed(work: Path) -> None:
    whole = recsys("recommend", "--model", "model", "--data", "data", "-k", 4, "--out", "whole.parquet", cwd=work)
    assert whole.returncode == 0
    script = (
        "from recsys.cli.main import main\n"
        "from recsys.workflows import recommend as recommend_workflow\n"
        "import os, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "recommend_workflow.PART_ROWS = 12\n"
        "from recsys import store\n"
        "write = store.Parts.write\n"
        "def stop(self, number, content):\n"
        "    write(self, number, content)\n"
        "    if number == 1 and 'STOP' in os.environ: os.kill(os.getpid(), signal.SIGINT)\n"
        "store.Parts.write = stop\n"
        "main()\n"
    )
    command = [sys.executable, "-c", script, "recommend", "--model", "model", "--data", "data", "-k", "4"]
    command += ["--out", "parts.parquet", "--resume", "--json"]
    broken = subprocess.run(command, cwd=work, capture_output=True, text=True, env={**os.environ, "STOP": "1"})
    assert broken.returncode == 130, broken.stderr
    assert "--resume" in broken.stderr
    assert not (work / "parts.parquet").exists()
    resumed = subprocess.run(command, cwd=work, capture_output=True, text=True)
    assert resumed.returncode == 0, resumed.stderr
    assert 2 <= json.loads(resumed.stdout)["resumed_parts"] < 10
    assert pq.read_table(work / "parts.parquet").equals(pq.read_table(work / "whole.parquet"))
    assert pq.ParquetFile(work / "parts.parquet").num_row_groups == 10
