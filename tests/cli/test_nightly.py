"""`recsys nightly` on the command line: the report as a table and as JSON, the exit status, the way back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.run import complaint, recsys

SETTINGS = """
data = "data"
model = "model"
[ratings]
files = ["ratings.csv", "new.csv*"]
[train]
model = "itemknn"
[evaluate]
holdout = 0.2
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    rows = (f"{u},{i},{5 - (u + i) % 3}\n" for u in range(40) for i in range(30) if (u + i) % 2 and (u * i) % 7)
    (tmp_path / "ratings.csv").write_text("user_id,item_id,rating\n" + "".join(rows))
    (tmp_path / "nightly.toml").write_text(SETTINGS)
    return tmp_path / "nightly.toml"


def test_the_report_is_a_table_or_json_and_a_refusal_has_status_2(config: Path) -> None:
    first = recsys("nightly", config)
    assert "published" in first.stdout and "nDCG@10" in first.stdout and "report: " in first.stdout
    (config.parent / "new.csv1").write_text("user_id,item_id,rating\n3,2,5\n99,4,4\n")
    config.write_text(SETTINGS.replace("itemknn", "popular"))
    refused = recsys("nightly", config, "--json")
    report = json.loads(refused.stdout)
    assert refused.returncode == 2
    assert report["status"] == "refused" and report["quality"]["fall"] > 0.05
    assert refused.stderr.startswith("recsys: not published: nDCG@10 fell by ") and refused.stderr.count("\n") == 1
    config.write_text(SETTINGS)
    assert json.loads(recsys("nightly", config, "--json").stdout)["status"] == "published"
    back = json.loads(recsys("nightly", config, "--rollback", "--json").stdout)
    assert back["published"] == report["previous"] and back["left"] == 0
    assert "there is no previous model" in complaint(recsys("nightly", config, "--rollback"))


def test_wrong_use_is_one_line(config: Path) -> None:
    assert "exclude each other" in complaint(recsys("nightly", config, "--anew", "--rollback"))
    config.write_text(SETTINGS.replace("[train]", "[trian]"))
    assert (
        complaint(recsys("nightly", config)) == f"recsys: {config}: line 6: trian: is not a setting of recsys nightly"
    )
