"""The house is in order: one name for a rule everywhere, pins in step, Snakemake's own lint silent."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import yaml

from mndmri.cohort.progress import STORED_S

ROOT = Path(__file__).parents[2]
RULE = re.compile(r"^ *rule (\w+):\n(.*?)(?=^ *rule |\Z)", re.MULTILINE | re.DOTALL)


def rules() -> dict[str, str]:
    """Name of every rule, and its text."""
    return {
        name: body for path in (ROOT / "workflow/rules").glob("*.smk") for name, body in RULE.findall(path.read_text())
    }


def test_a_rule_its_script_its_log_and_its_benchmark_have_one_name():
    assert len(rules()) > 15
    for name, body in rules().items():
        assert f'"../../scripts/{name}.py"' in body
        assert f'"<logs>/{name}/' in body
        assert f'"<benchmarks>/{name}/' in body


def test_stored_times_are_of_rules_that_there_are():
    assert set(STORED_S) <= set(rules())


def test_every_script_belongs_to_a_rule():
    assert {path.stem for path in (ROOT / "scripts").glob("*.py")} == set(rules())


def test_scripts_read_the_participants_with_what_is_known_of_their_columns():
    for path in (ROOT / "scripts").glob("*.py"):
        assert not re.search(r"read_table\([^)]*participants", path.read_text()), path.name


def test_tables_that_later_jobs_compute_with_have_every_digit():
    """Six digits make ties, and put a share that is just enough below its limit."""
    read_again = {"measures", "qc", "profile", "profiles", "table"}
    found, rounded = set(), []
    for path in (ROOT / "scripts").glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(call, ast.Call) and ast.unparse(call.func) == "write_table"):
                continue
            target = ast.unparse(call.args[1]).split(".")[-1]
            exact = any((option.arg, ast.unparse(option.value)) == ("digits", "EXACT") for option in call.keywords)
            found.add(target)
            rounded += [f"{path.name}: {target}"] if target in read_again and not exact else []
    assert read_again <= found
    assert not rounded


def test_pins_of_the_conda_environment_are_those_of_pip():
    pins = dict(line.split("==") for line in (ROOT / "envs/constraints.txt").read_text().split() if "==" in line)
    pins = {name.lower(): version for name, version in pins.items()}
    environment = yaml.safe_load((ROOT / "envs/mndmri.yaml").read_text())
    pip = next(part["pip"] for part in environment["dependencies"] if isinstance(part, dict))
    for requirement in pip:
        name, version = requirement.split(" ==")
        assert pins[name] == version


def test_snakemake_lint_has_nothing_to_say():
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--lint"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert run.returncode == 0, run.stdout + run.stderr
