"""The container recipes hold the whole pipeline, in the versions that were tested. Nothing is built here."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WHEEL = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
INSTALLED = PurePosixPath("/opt/mndmri")


class Recipe(NamedTuple):
    """What a recipe does."""

    base: str
    copies: dict[str, PurePosixPath]
    """Paths of the repository, and where they go."""
    commands: list[str]
    starts: list[str]


def read_dockerfile(text: str) -> Recipe:
    """Instructions of a Dockerfile; each is one line."""
    folder, base, copies, commands, starts = PurePosixPath("/"), "", {}, [], []
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        if name == "FROM":
            base = rest
        elif name == "WORKDIR":
            folder = PurePosixPath(rest)
        elif name == "COPY":
            *sources, target = rest.split()
            for source in sources:
                into = folder / target / (source.split("/")[-1] if target.endswith("/") else "")
                copies[source] = into
        elif name == "RUN":
            commands.append(f"cd {folder}; {rest}")
        elif name == "ENTRYPOINT":
            starts = yaml.safe_load(rest)
        else:
            assert not name or name in ("#", "ARG", "ENV"), line
    return Recipe(base, copies, commands, starts)


def read_definition(text: str) -> Recipe:
    """Header and sections of an Apptainer definition."""
    header, *rest = re.split(r"^%", "\n".join(line for line in text.splitlines() if line[:1] != "#"), flags=re.M)
    sections = {name: [line.strip() for line in body if line.strip()] for name, *body in map(str.splitlines, rest)}
    fields = dict(line.split(": ") for line in header.split("\n") if line)
    assert fields["Bootstrap"] == "docker"
    copies = {source: PurePosixPath(target) for source, target in map(str.split, sections["files"])}
    [start] = sections["runscript"]
    assert start.startswith("exec ") and start.endswith(' "$@"')
    return Recipe(fields["From"], copies, ["; ".join(sections["post"])], start.split()[1:-1])


RECIPES = {
    name: read((ROOT / "envs" / name).read_text())
    for name, read in (("Dockerfile", read_dockerfile), ("mndmri.def", read_definition))
}


@pytest.fixture(params=RECIPES)
def recipe(request):
    return RECIPES[request.param]


def name_of(requirement: str) -> str:
    """Name of a package, as an index compares it."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def test_python_is_that_of_the_other_environment(recipe):
    environment = yaml.safe_load((ROOT / "envs/mndmri.yaml").read_text())
    [python] = [own.split("=")[1] for own in environment["dependencies"] if str(own).startswith("python")]
    assert re.fullmatch(rf"python:{python}-slim-\w+", recipe.base)


def test_the_project_is_installed_with_the_pins_and_nothing_else_is(recipe):
    [command] = recipe.commands
    assert command.startswith(f"cd {INSTALLED}; ") and command.count("install") == 1
    assert command.endswith('pip install --no-cache-dir --constraint envs/constraints.txt ".[cluster]"')
    assert recipe.copies["envs/constraints.txt"] == INSTALLED / "envs/constraints.txt"


def test_what_the_rules_need_is_a_dependency_with_a_pin(recipe):
    extras = re.search(r"\.\[([\w,]+)\]", recipe.commands[0])[1].split(",")
    asked = [*PROJECT["dependencies"], *(own for extra in extras for own in PROJECT["optional-dependencies"][extra])]
    pinned = {name_of(line) for line in (ROOT / "envs/constraints.txt").read_text().splitlines() if "==" in line}
    environment = yaml.safe_load((ROOT / "envs/mndmri.yaml").read_text())
    of_rules = next(own["pip"] for own in environment["dependencies"] if isinstance(own, dict))
    assert {name_of(own) for own in of_rules} <= {name_of(own) for own in asked} <= pinned


def test_the_wheel_can_be_built_of_what_is_copied(recipe):
    needed = {*WHEEL["packages"], *WHEEL["force-include"], PROJECT["readme"], *PROJECT["license-files"]}
    assert set(recipe.copies) == needed | {"pyproject.toml", "envs/constraints.txt"}
    for source, target in recipe.copies.items():
        assert (ROOT / source).exists() and target == INSTALLED / source


def test_a_container_is_the_command(recipe):
    assert recipe.starts == ["mndmri"] and "mndmri" in PROJECT["scripts"]


@pytest.mark.parametrize("name", RECIPES)
def test_no_index_of_packages_is_named(name):
    assert not re.search(r"https?:|\w\.(org|com|io|net)\b|index-url [^.]", (ROOT / "envs" / name).read_text())


@pytest.mark.slow
def test_the_pipeline_is_installed_of_what_is_copied_alone(recipe, tmp_path):
    for source in recipe.copies:
        (tmp_path / "source" / source).parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-r", ROOT / source, tmp_path / "source" / source], check=True)
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet"]
    subprocess.run([*install, "--target", tmp_path / "made", tmp_path / "source"], check=True)
    assert (tmp_path / "made/mndmri/pipeline/Snakefile").is_file()
    assert (tmp_path / "made/bin/mndmri").is_file()
