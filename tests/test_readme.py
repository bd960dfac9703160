"""README is true: its programs and scripts print what it shows, and its command for the pages of the API makes them.

`.ci/run` runs its two commands that begin with `python3 -m venv`; `tests/cli` has the one that validates a document.
"""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import oci_layers

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


PROGRAMS = re.findall(r"```python\n(.*?)```\n\n```\n(.*?)```", README, re.DOTALL)
SCRIPTS = [
    (script, shown)
    for script, shown in re.findall(r"```sh\n((?:(?!```).)*)```\n\n```\n(.*?)```", README, re.DOTALL)
    if "oci-layers" in script and "venv" not in script
]
"""What README types into a shell, and what is shown; `...` is for anything."""
MADE = {
    "lighthouse/etc/motd": b"The lamp is lit. Keep two miles off.\n",
    "images/oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
    "room/oci-layers-room": b'{"version": 1}\n',
    "made/oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
}


@pytest.mark.parametrize(("program", "made"), list(zip(PROGRAMS, MADE, strict=True)), ids=list(MADE))
def test_a_program_prints_what_readme_shows(program, made, tmp_path, monkeypatch, capsys):
    code, shown = program
    shutil.copytree(ROOT / "tests" / "data" / "image", tmp_path / "tests" / "data" / "image")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out == shown
    assert (tmp_path / made).read_bytes() == MADE[made]


def typed(script, directory):
    """What a script prints in a directory, in which `oci-layers` is the command."""
    shutil.copytree(ROOT / "tests" / "data" / "image", directory / "tests" / "data" / "image")
    command = f'set -u; oci-layers() {{ {shlex.quote(sys.executable)} -m oci_layers "$@"; }}\n{script}'
    environment = {key: value for key, value in os.environ.items() if key != "SOURCE_DATE_EPOCH"}
    ran = subprocess.run(
        ["bash", "-c", command],
        cwd=directory,
        env={**environment, "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.stderr == ""
    return ran.stdout


@pytest.mark.parametrize(("script", "shown"), SCRIPTS, ids=[script.split()[0] for script, _ in SCRIPTS])
def test_a_script_prints_what_readme_shows(script, shown, tmp_path):
    printed = typed(script, tmp_path)
    pattern = re.escape(shown).replace(re.escape("\n...\n"), r"\n(?:.*\n)*").replace(re.escape("..."), ".*")
    assert re.fullmatch(pattern, printed), printed


def test_the_script_that_builds_makes_an_image_of_the_program(tmp_path):
    typed(next(script for script, _ in SCRIPTS if "oci-layers pack" in script), tmp_path)
    with oci_layers.open_image(f"docker-archive:{tmp_path / 'lamp.tar'}:lamp:1") as image:
        config = image.config.config
        assert (config.user, config.cmd) == ("1888", ("lamp", "--lit"))
        assert (image.root / "srv/app/lamp").read_text() == "#!/bin/sh\ncat /etc/motd\n"
        assert len(image.layers) == 6


def test_every_recipe_is_in_the_table_and_every_link_leads_somewhere():
    links = re.findall(r"\]\((?!http)([^)]*)\)", README)
    assert not [link for link in links if not (ROOT / link).exists()]
    recipes = {file.name for file in (ROOT / "tests" / "recipes").glob("*.py")} - {"__init__.py", "test_recipes.py"}
    assert {link.removeprefix("tests/recipes/") for link in links if link.startswith("tests/recipes/")} == recipes


@pytest.mark.thorough
def test_one_command_makes_a_page_for_each_room(tmp_path):
    if importlib.util.find_spec("pdoc") is None:
        problem = "pdoc is not installed: pip install --group docs"
        if os.environ.get("CI"):
            pytest.fail(problem, pytrace=False)
        pytest.skip(problem)
    (command,) = re.findall(r"^python (-m pdoc .*)$", README, re.MULTILINE)
    rooms = re.search(r"oci_layers\.\{([^}]*)\}", command)[1].split(",")
    assert rooms == list(oci_layers._ROOMS)
    line = f"{shlex.quote(sys.executable)} {command}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, env=environment, check=False, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    pages = tmp_path / "api" / "oci_layers"
    assert not [room for room in rooms if not (pages / f"{room}.html").exists()]
    for recipe in (ROOT / "tests" / "recipes").glob("[!_]*.py"):
        if not recipe.name.startswith("test_"):
            page = (tmp_path / "api" / "tests" / "recipes" / f"{recipe.stem}.html").read_text()
            assert "import oci_layers" in re.sub("<[^>]*>", "", page)
    front = (tmp_path / "api" / "oci_layers.html").read_text()
    assert not [name for name in oci_layers.__all__ if f'id="{name}"' not in front]
