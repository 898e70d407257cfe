"""The wheel: what is in it, and that it works alone, installed in an environment that never saw the checkout."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import recsys
from recsys import store

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "recsys", "tests")
DATA_SUFFIXES = {".css", ".html", ".js", ".svg", ".toml", ".typed"}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources: files left over from an earlier build stay out of it."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder / "out", folder]
    if int(importlib.metadata.version("setuptools").split(".")[0]) >= 77:
        command.append("--no-build-isolation")  # no download; otherwise pip fetches setuptools from the index
    subprocess.run(command, check=True, timeout=300, env=clean_environment())
    (built,) = (folder / "out").glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment in which only the wheel is installed; it borrows the dependencies of ours."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=120)
    python = folder / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel],
        check=True, timeout=120, env=clean_environment(),
    )  # fmt: skip
    site_packages = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    # A path in a .pth file is added as it is: the .pth file in it that makes our checkout importable is not read.
    (Path(site_packages) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


def clean_environment(**variables: str) -> dict[str, str]:
    """The environment of this process without what would make the checkout or its data visible."""
    hidden = ("PYTHONPATH", "RECSYS_DATA", "RECSYS_MODELS")
    return {name: value for name, value in os.environ.items() if name not in hidden} | variables


def metadata(wheel: Path) -> dict[str, list[str]]:
    """The core metadata of the wheel: field → values."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        fields = Parser().parsestr(archive.read(name).decode())
    return {field: fields.get_all(field, []) for field in fields}


def test_the_wheel_holds_the_package_its_data_and_the_license_but_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    ours = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for path in (ROOT / "recsys").rglob("*")
        if path.is_file() and path.suffix in DATA_SUFFIXES | {".py"}
    }
    assert {name: content for name, content in held.items() if ".dist-info/" not in name} == ours
    assert {Path(name).suffix for name in ours} == DATA_SUFFIXES | {".py"}
    assert {"recsys/py.typed", "recsys/app/.streamlit/config.toml"} <= held.keys()
    (license_,) = (name for name in held if name.endswith("/licenses/LICENSE"))
    assert held[license_] == (ROOT / "LICENSE").read_bytes()


def test_no_kind_of_data_file_is_forgotten() -> None:
    found = {path.suffix for path in (ROOT / "recsys").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert found - {".py"} == DATA_SUFFIXES


def test_the_metadata_say_what_is_installed(wheel: Path) -> None:
    fields = metadata(wheel)
    assert wheel.name == f"recsys_atlas-{recsys.__version__}-py3-none-any.whl"
    assert (fields["Name"], fields["Version"]) == (["recsys-atlas"], [recsys.__version__])
    assert fields["License-Expression"] == ["MIT"]
    assert not {"Project-URL", "Home-page", "Download-URL"} & fields.keys()
    assert {"tune", "maps", "docs", "dev"} <= set(fields["Provides-Extra"])
    assert not [line for line in fields["Requires-Dist"] if re.match(r"recsys(?!-atlas\[)", line)]


def test_the_changelog_names_this_version() -> None:
    versions = re.findall(r"^## (\S+) - ", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert recsys.__version__ in versions


def test_the_command_prints_the_version(installed: Path, tmp_path: Path) -> None:
    where = [installed / "python", "-c", "import recsys; print(recsys.__file__)"]
    imported = subprocess.run(where, cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, check=True)
    assert Path(imported.stdout).is_relative_to(installed.parent)
    command = [installed / "recsys", "--version"]
    done = subprocess.run(command, cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"recsys {recsys.__version__}\n", "")


@pytest.fixture(scope="session")
def after_demo(installed: Path, ml100k_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside the checkout in which `recsys demo --no-app` was run with no setting at all."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "data" / "raw").mkdir(parents=True)
    (folder / "data" / "raw" / "ml-100k").symlink_to(ml100k_folder, target_is_directory=True)
    command = [installed / "recsys", "demo", "--no-app", "--json"]
    done = subprocess.run(command, cwd=folder, env=clean_environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (folder / "demo.json").write_text(done.stdout)
    return folder


def test_the_demo_runs_from_any_folder_and_keeps_its_data_there(after_demo: Path) -> None:
    assert {path.name for path in after_demo.iterdir()} == {"data", "demo.json"}
    assert (after_demo / "data" / "prepared" / "ml-100k" / "interactions.parquet").is_file()
    assert (after_demo / "data" / "models" / "ml-100k-ials" / "manifest.json").is_file()


def test_the_demo_runs_all_steps_on_movielens_100k(after_demo: Path) -> None:
    result = json.loads((after_demo / "demo.json").read_text())
    assert (result["prepare"]["kept"], result["prepare"]["users"], result["prepare"]["items"]) == (100_000, 943, 1682)
    assert len(result["recommend"]["recommendations"]) == 10
    assert all(row["title"] for row in result["recommend"]["recommendations"])
    model = after_demo / "data" / "models" / "ml-100k-ials"
    assert store.list_maps(model) == ["tsne"]
    found, clustered = store.load_axes(model), store.load_clusters(model)
    assert found is not None and result["axes"]["named"] == sum(axis.is_valid for axis in found.discovered) > 0
    assert clustered is not None and len(result["clusters"]["clusters"]) == clustered.n_clusters
    assert pa.types.is_fixed_size_list(pq.read_schema(model / "item_factors.parquet").field("factors").type)


@pytest.fixture
def app(installed: Path, after_demo: Path, tmp_path: Path) -> Iterator[str]:
    """The address of the installed app, served from an empty folder on the models of the demo."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = clean_environment(RECSYS_DATA=str(after_demo / "data"), HOME=str(tmp_path))
    command = [installed / "recsys", "app", "--port", str(port)]
    log = tmp_path / "app.log"
    with log.open("w") as out:
        server = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=out, stderr=out)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            assert server.poll() is None, log.read_text()
            try:
                if get(f"{address}/_stcore/health") == b"ok":
                    break
            except urllib.error.URLError:
                time.sleep(0.1)
        else:
            pytest.fail(f"the app did not answer within a minute: {log.read_text()}")
        yield address
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=30)


def get(url: str) -> bytes:
    """The body of a page of the app."""
    with urllib.request.urlopen(url, timeout=10) as response:
        return bytes(response.read())


def test_the_installed_app_is_served(app: str) -> None:
    page = get(app).decode()
    scripts = re.findall(r'src="\.?/?(static/js/[^"]+\.js)"', page)
    assert "<title>" in page and scripts
    assert all(len(get(f"{app}/{script}")) > 1000 for script in scripts)
    with pytest.raises(urllib.error.HTTPError) as missing:  # our own route, next to those of Streamlit
        get(f"{app}/blob/unknown")
    assert (missing.value.code, missing.value.read()) == (404, b"no such array")


def test_the_installed_app_draws_its_first_page(installed: Path, after_demo: Path, tmp_path: Path) -> None:
    script = (
        "from streamlit.testing.v1 import AppTest\n"
        "from recsys.app.serve import SCRIPT\n"
        "page = AppTest.from_file(str(SCRIPT), default_timeout=120).run()\n"
        "assert not page.exception, page.exception\n"
        "print(len(page.button), [element.value for element in page.error])\n"
    )
    environment = clean_environment(RECSYS_MODELS=str(after_demo / "data" / "models"), HOME=str(tmp_path))
    command = [installed / "python", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    n_buttons, errors = done.stdout.strip().split(" ", 1)
    assert int(n_buttons) > 5 and errors == "[]"
