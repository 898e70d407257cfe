"""Background batches: their folders, the queue, and stopped, interrupted, failed and abandoned jobs."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys import store
from recsys.errors import InputError, UnknownId
from recsys.models import MODELS
from recsys.workflows import batch_files, batch_jobs, batch_output
from recsys.workflows import recommend as recommend_workflow
from recsys.workflows.batch_jobs import Job, JobQueue, Request, Viewer

PATIENCE = 60.0
N_USERS = 943


@pytest.fixture(scope="module")
def place(ml100k, tmp_path_factory) -> Path:
    """A folder with `data`, MovieLens 100K, and `model`, the fastest model."""
    folder = tmp_path_factory.mktemp("jobs")
    store.save_prepared(folder / "data", ml100k)
    store.save_model(folder / "model", MODELS["popular"]().fit(ml100k))
    return folder


@pytest.fixture
def request_for(place: Path) -> Callable[..., Request]:
    return lambda k=3, **others: Request(place / "model", place / "data", k, True, **others)


class Gate:
    """Blocks each job before a block of lists: signals that it has arrived, and holds it until the gate opens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.arrived, self.opened = threading.Semaphore(0), threading.Event()
        behind = recommend_workflow.best_items

        def held(*arguments: Any, **named: Any) -> Any:
            self.arrived.release()
            assert self.opened.wait(PATIENCE)
            return behind(*arguments, **named)

        monkeypatch.setattr(recommend_workflow, "best_items", held)

    def wait(self) -> None:
        assert self.arrived.acquire(timeout=PATIENCE)


@pytest.fixture
def gate(monkeypatch) -> Iterator[Gate]:
    found = Gate(monkeypatch)
    yield found
    found.opened.set()


@pytest.fixture
def queue(monkeypatch) -> JobQueue:
    fresh = JobQueue(2)
    monkeypatch.setattr(batch_jobs, "QUEUE", fresh)
    return fresh


def finish(queue: JobQueue, job: Job) -> None:
    assert queue.wait(job, PATIENCE), job.state


def test_a_batch_equals_the_output_of_the_command_line_and_its_csv(place, request_for, queue, tmp_path) -> None:
    folder = batch_jobs.new_batch(tmp_path, request_for(), N_USERS)
    job = queue.start(folder)
    finish(queue, job)
    assert (job.state, job.done, job.total, job.error) == ("done", N_USERS, N_USERS, "")
    recommend_workflow.recommend_batch(place / "model", place / "data", tmp_path / "cli.parquet", k=3)
    table = pq.read_table(folder / batch_files.LISTS)
    assert table.equals(pq.read_table(tmp_path / "cli.parquet"))
    assert table.column_names == ["user_id", "rank", "item_id", "score"]
    result = batch_files.read_result(folder)
    assert result is not None and (result["users"], result["rows"]) == (N_USERS, 3 * N_USERS)
    written = pd.read_csv(folder / batch_files.CSV, dtype={"score": "float32"})
    pd.testing.assert_frame_equal(written, table.to_pandas(), check_dtype=False)
    assert batch_files.read_request(folder) == request_for()


def test_rows_of_a_user_given_as_typed(request_for, queue, tmp_path) -> None:
    folder = batch_jobs.new_batch(tmp_path, request_for(), N_USERS)
    finish(queue, queue.start(folder))
    assert batch_files.first_rows(folder, 7)["user_id"].tolist() == [1, 1, 1, 2, 2, 2, 3]
    assert batch_files.rows_of_user(folder, " 943 ")["rank"].tolist() == [1, 2, 3]
    for unknown in ("944", "-1", "x", "1.5"):
        with pytest.raises(UnknownId):
            batch_files.rows_of_user(folder, unknown)
    (folder / batch_files.LISTS).unlink()
    with pytest.raises(InputError, match="gone"):
        batch_files.first_rows(folder, 7)


def test_listed_users_get_lists_and_unused_lines_are_reported(request_for, queue, tmp_path) -> None:
    folder = batch_jobs.new_batch(tmp_path, request_for(), N_USERS, ("my users.csv", b"user_id\n7\nghost\n3\n7\n"))
    finish(queue, queue.start(folder))
    assert batch_files.first_rows(folder, 100)["user_id"].tolist() == [7, 7, 7, 3, 3, 3]
    unused = batch_files.unused_lines(folder)
    assert unused is not None
    assert unused[["line", "text", "reason"]].to_numpy().tolist() == [
        [3, "ghost", "user is not in the data"],
        [5, "7", "user is listed twice"],
    ]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.txt", b"", "empty.txt: holds no user ids"),
        ("blank.csv", b"user_id\n\n\n", "blank.csv: holds no user ids"),
        ("picture.png", b"\x89PNG\r\n\x1a\n\xff\xfe", "picture.png: line 1: is not UTF-8 text"),
        ("broken.parquet", b"PAR1 nonsense", "broken.parquet: is not a Parquet file"),
        ("../../request.json", b"", "users.txt: holds no user ids"),
        ("../evil.PARQUET", b"", "users.parquet: is not a Parquet file"),
    ],
)
def test_an_unusable_list_is_a_one_line_error_and_leaves_no_files(request_for, tmp_path, name, content, words) -> None:
    with pytest.raises(InputError) as error:
        batch_jobs.new_batch(tmp_path / "batches", request_for(), N_USERS, (name, content))
    assert str(error.value).startswith(words)
    assert "\n" not in str(error.value) and str(tmp_path) not in str(error.value)
    assert list((tmp_path / "batches").iterdir()) == []


@pytest.mark.parametrize(
    ("columns", "n_rows", "words"),
    [
        (1, 2_000_000, "lists 2,000,000 users, at most 1,000,000"),
        (101, 10, "has 101 columns"),
        (90, 100_000, "MiB unp"),
    ],
)
def test_a_parquet_list_that_unpacks_to_much_is_refused_by_its_metadata(
    request_for, tmp_path, monkeypatch, columns: int, n_rows: int, words: str
) -> None:
    packed = io.BytesIO()
    values = pa.array(["u" * 80] * n_rows if columns == 90 else [1] * n_rows)
    table = pa.table({f"c{number}": values for number in range(columns)})
    pq.write_table(table, packed, compression="zstd", use_dictionary=columns != 90)
    assert len(packed.getvalue()) < 2**20, "the control: the file is small"
    monkeypatch.setattr(batch_jobs, "read_user_ids", lambda _: pytest.fail("the file was read"))
    with pytest.raises(InputError, match=words):
        batch_jobs.new_batch(tmp_path / "batches", request_for(), N_USERS, ("list.parquet", packed.getvalue()))
    assert not list((tmp_path / "batches").glob("*"))


def test_a_text_list_with_too_many_lines_is_refused(request_for, tmp_path) -> None:
    for separator in (b"\n", b"\x0b", "\u2028".encode()):
        with pytest.raises(InputError, match=r"list.txt: lists 1,\d+,\d+ users, at most 1,000,000"):
            batch_jobs.new_batch(tmp_path, request_for(), N_USERS, ("list.txt", separator * 1_000_001))


def test_a_list_of_unknown_users_fails_with_a_one_line_error(request_for, queue, tmp_path) -> None:
    folder = batch_jobs.new_batch(tmp_path, request_for(), N_USERS, ("list.txt", b"5000\nghost\n"))
    job = queue.start(folder)
    finish(queue, job)
    assert job.state == "failed"
    assert job.error == "list.txt: line 1: user '5000' is not in the data, nor is any other listed user"
    assert not list(folder.glob("recommendations*"))


def test_a_batch_too_large_for_a_browser_is_refused(request_for, tmp_path) -> None:
    with pytest.raises(InputError, match="more than 10,000,000 rows"):
        batch_jobs.new_batch(tmp_path / "batches", request_for(1000), 10_001)
    assert not (tmp_path / "batches").exists()
    assert batch_jobs.new_batch(tmp_path / "batches", request_for(1000), 10_001, ("two.txt", b"1\n2\n")).is_dir()


def test_a_cancelled_batch_ends_at_the_next_block_and_can_be_resumed(
    request_for, queue, gate, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(recommend_workflow, "PART_ROWS", 3 * 300)  # 300 users a part
    folder = batch_jobs.new_batch(tmp_path, request_for(), N_USERS)
    job = queue.start(folder)
    gate.wait()
    assert (job.state, job.done, job.total) == ("running", 0, N_USERS)
    queue.cancel(job)
    gate.opened.set()
    finish(queue, job)
    assert (job.state, job.done) == ("stopped", 300)
    assert batch_files.read_result(folder) is None and not (folder / batch_files.LISTS).exists()

    # As after a crash: another queue, which knows of nothing but the folder, goes on with it.
    again = JobQueue(2)
    job = again.start(folder)
    finish(again, job)
    assert job.state == "done"
    assert pq.read_table(folder / batch_files.LISTS).num_rows == 3 * N_USERS


def test_finished_parts_are_reused_and_do_not_count_for_the_estimate(
    request_for, queue, gate, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(recommend_workflow, "PART_ROWS", 3 * 300)
    monkeypatch.setattr(batch_output, "WAITING_PARTS", 0)  # each part is written before the next one is computed
    folder = batch_jobs.new_batch(tmp_path, request_for(), N_USERS)

    def cancel_after_the_first_part(self: store.Parts, number: int, content: bytes) -> None:
        write(self, number, content)
        queue.cancel(job)

    write = store.Parts.write
    monkeypatch.setattr(store.Parts, "write", cancel_after_the_first_part)
    job = queue.start(folder)
    gate.opened.set()
    finish(queue, job)
    assert job.state == "stopped"
    monkeypatch.setattr(store.Parts, "write", write)
    gate.opened.clear()
    resumed = queue.start(folder)
    for _ in range(3):  # two blocks of the first run, then the first of this one
        gate.wait()
    assert resumed.done == 300  # the first part is reused before any new block
    assert resumed.seconds_left is None
    gate.opened.set()
    finish(queue, resumed)
    result = batch_files.read_result(folder)
    assert result is not None and result["resumed_parts"] == 1
    assert resumed.seconds_left == 0


def test_a_third_batch_waits_and_is_not_started_twice(request_for, queue, gate, tmp_path) -> None:
    folders = [batch_jobs.new_batch(tmp_path, request_for(), N_USERS) for _ in range(4)]
    first, second, third, fourth = (queue.start(folder) for folder in folders)
    gate.wait()
    gate.wait()
    assert [job.state for job in (first, second, third, fourth)] == ["running", "running", "waiting", "waiting"]
    assert (queue.n_ahead(third), queue.n_ahead(fourth)) == (0, 1)
    assert queue.start(folders[2]) is third
    queue.cancel(third)
    assert (third.state, queue.n_ahead(fourth)) == ("stopped", 0)
    gate.opened.set()
    for job in (first, second, fourth):
        finish(queue, job)
        assert job.state == "done"
    assert not (folders[2] / batch_files.LISTS).exists()


def test_an_abandoned_batch_ends_unless_its_viewer_returns(request_for, queue, gate, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(batch_jobs, "GRACE_SECONDS", -1.0)  # no grace period
    gone, back = (queue.start(batch_jobs.new_batch(tmp_path, request_for(), N_USERS)) for _ in range(2))
    gate.wait()
    gate.wait()
    for job in (gone, back):
        reader = Viewer()
        reader.folder = job.folder
        reader.leave()
    back.viewer_returned()
    gate.opened.set()
    finish(queue, gone)
    finish(queue, back)
    assert (gone.state, back.state) == ("stopped", "done")
    Viewer().leave()  # a viewer without a batch


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_unexpected_error_fails_the_job_and_frees_the_queue(request_for, tmp_path, monkeypatch) -> None:
    narrow = JobQueue(1)

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(recommend_workflow, "best_items", broken)
        job = narrow.start(batch_jobs.new_batch(tmp_path, request_for(), N_USERS))
        finish(narrow, job)
    assert (job.state, job.error) == ("failed", "")
    after = narrow.start(batch_jobs.new_batch(tmp_path, request_for(), N_USERS))
    finish(narrow, after)
    assert after.state == "done"


def test_old_batches_are_removed_and_nothing_else_is(request_for, queue, gate, tmp_path) -> None:
    old, fresh, running = (batch_jobs.new_batch(tmp_path, request_for(), N_USERS) for _ in range(3))
    mine = tmp_path / "my-own-lists"
    mine.mkdir()
    job = queue.start(running)
    gate.wait()
    long_ago = time.time() - batch_jobs.KEPT_SECONDS - 60
    for folder in (old, running, mine):
        for path in (*folder.iterdir(), folder):
            os.utime(path, (long_ago, long_ago))
    new = batch_jobs.new_batch(tmp_path, request_for(), N_USERS)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in (fresh, running, mine, new)}
    gate.opened.set()
    finish(queue, job)
    assert job.state == "done"
    queue.remove(running)
    assert not running.exists() and queue.find(running) is None


@pytest.mark.parametrize(
    ("file", "is_removed"),
    [
        ("users/list.txt", True),
        (".request.json.12-0123abcd.recsys-tmp", True),
        (".recommendations.csv.recsys-lock", True),
        (".recommendations.parquet.parts/plan.json", True),
        (f".recommendations.parquet.12-0123abcd.recsys-tmp/000001-{'a' * 64}.part", True),
        ("notes.txt", False), ("users/deep/notes.txt", False), (".recommendations.parquet.parts/notes.txt", False),
        ("request.json/notes.txt", False), (None, False),
    ],
)  # fmt: skip
def test_an_old_folder_is_removed_only_if_it_is_a_batch_and_nothing_else(
    request_for, queue, tmp_path, file: str | None, is_removed: bool
) -> None:
    folder = batch_jobs.new_batch(tmp_path, request_for(), N_USERS)
    if file is None or file.startswith("request.json"):
        (folder / batch_files.REQUEST).unlink()
    if file is not None:
        (folder / file).parent.mkdir(exist_ok=True, parents=True)
        (folder / file).write_text("mine")
    batch_jobs.remove_old(tmp_path, time.time() + batch_jobs.KEPT_SECONDS + 60)
    assert folder.exists() is not is_removed


def test_removing_a_batch_removes_its_job(request_for, queue, tmp_path) -> None:
    folder = batch_jobs.new_batch(tmp_path, request_for(), N_USERS)
    finish(queue, queue.start(folder))
    long_ago = time.time() - batch_jobs.KEPT_SECONDS - 60
    for path in (*folder.iterdir(), folder):
        os.utime(path, (long_ago, long_ago))
    batch_jobs.remove_old(tmp_path, time.time())
    assert not folder.exists() and queue.find(folder) is None


def test_the_oldest_batches_of_a_session_are_removed_except_active_ones(request_for, queue, gate, tmp_path) -> None:
    running, *rest = (batch_jobs.new_batch(tmp_path, request_for(), N_USERS) for _ in range(4))
    job = queue.start(running)
    gate.wait()
    assert queue.remove_oldest([running, *rest], 2) == [running, rest[2]]
    assert [folder.exists() for folder in (running, *rest)] == [True, False, False, True]
    gate.opened.set()
    finish(queue, job)


@pytest.mark.parametrize(("user", "is_formula"), [("=1+1", True), ("@SUM(A1)", True), ("u=1", False), ("7", False)])
def test_ids_that_a_spreadsheet_would_run_are_detected(tmp_path, user: str, is_formula: bool) -> None:
    table = pa.table({"user_id": ["a", user], "rank": [1, 2], "score": [-1.0, 2.0]})
    pq.write_table(table, tmp_path / "lists.parquet")
    assert batch_files.write_csv(tmp_path / "lists.parquet", tmp_path / "lists.csv") is is_formula
    assert user in (tmp_path / "lists.csv").read_text()


def test_a_batch_is_found_by_its_name_and_by_nothing_else(request_for, tmp_path) -> None:
    root = tmp_path / "batches"
    folder = batch_jobs.new_batch(root, request_for(), N_USERS)
    assert len(folder.name) == 32 and batch_files.find_batch(root, folder.name) == folder
    (tmp_path / "request.json").write_text("{}")
    (root / ("a" * 32)).symlink_to(folder)
    for name in ("", ".", "..", "b" * 32, "a" * 32, f"../batches/{folder.name}", folder.name.upper() + "x"):
        assert batch_files.find_batch(root, name) is None
