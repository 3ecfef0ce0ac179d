"""The command line: what it writes, what it hands to Snakemake, and what it says of mistakes."""

import subprocess

import pytest
import yaml

from mndmri.command import line
from mndmri.command.place import pipeline_folder
from tests.unit.command.test_draft import dataset


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A folder with a dataset, which is the working directory."""
    (tmp_path / "bids").mkdir()
    dataset(tmp_path / "bids", ["participant_id group", "sub-1 ALS", "sub-2 HC"])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def started(monkeypatch):
    """Command lines of Snakemake, which is not started."""
    lines = []

    class Ended:
        def __init__(self, command):
            lines.append(command)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def wait(self):
            return 3

    monkeypatch.setattr(subprocess, "Popen", Ended)
    return lines


def test_init_writes_a_config_once(study, capsys):
    assert line.main(["init", "bids"]) == 0
    config = yaml.safe_load((study / "study.yaml").read_text())
    assert config["bids_dir"] == str(study / "bids")
    assert config["output_dir"] == str(study / "results")
    assert config["groups"]["levels"] == {"ALS": ["ALS"], "control": ["HC"]}
    written = (study / "study.yaml").read_bytes()
    assert line.main(["init", "bids"]) == 1
    assert "study.yaml: is there already, and is not written over" in capsys.readouterr().err
    assert (study / "study.yaml").read_bytes() == written
    assert sorted(path.name for path in (study / "bids").iterdir()) == ["participants.tsv", "sub-1", "sub-2"]


@pytest.mark.parametrize(
    ("arguments", "options", "targets"),
    [
        (["run", "study.yaml"], ["--cores", "all"], []),
        (["run", "study.yaml", "statistics"], ["--cores", "all"], ["statistics"]),
        (["run", "--cores", "3", "study.yaml", "-n"], ["--cores", "3", "-n"], []),
        (["check", "study.yaml", "statistics"], ["--dry-run"], ["statistics"]),
    ],
)
def test_targets_and_options_reach_snakemake_in_any_order(study, started, arguments, options, targets):
    line.main(["init", "bids"])
    assert line.main(arguments) == 3
    [command] = started
    assert str(pipeline_folder() / "Snakefile") in command
    end = command.index("--")
    assert command[end + 1 :] == targets
    assert command[end - 2 : end] == ["--configfile", "study.yaml"]
    assert set(options) <= set(command[:end])


def test_a_run_on_a_workstation_goes_on_when_one_fails_and_slurm_is_an_option(study, started):
    line.main(["init", "bids"])
    line.main(["run", "study.yaml"])
    line.main(["run", "study.yaml", "--slurm"])
    for command, name in zip(started, ("local", "slurm"), strict=True):
        profile = pipeline_folder() / "workflow/profiles" / name
        assert str(profile) in command
        assert any(profile.glob("*.yaml"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1,\nb: 2", "study.yaml, line 2, column 5: not YAML"),
        ("just words", "is not a config, which has a key and a value in each line"),
        ("", "is not a config"),
    ],
)
@pytest.mark.parametrize("command", ["check", "run", "show"])
def test_a_config_that_cannot_be_read_is_said_in_a_sentence(study, started, capsys, command, text, words):
    (study / "study.yaml").write_text(text)
    assert line.main([command, "study.yaml"]) == 1
    assert words in capsys.readouterr().err
    assert started == []


@pytest.mark.parametrize("command", ["check", "run"])
def test_without_a_config_the_way_to_one_is_said(study, started, capsys, command):
    assert line.main([command, "study.yaml"]) == 1
    assert "study.yaml: no such file; mndmri init BIDS_DIR writes a config" in capsys.readouterr().err
    assert started == []


def test_a_folder_that_is_not_there_is_named(study, capsys):
    assert line.main(["init", "bids", "--config", "nodir/study.yaml"]) == 1
    assert "nodir: no such folder; make it, or name another file with --config" in capsys.readouterr().err


def test_show_says_when_a_study_has_not_been_run(study, capsys):
    line.main(["init", "bids"])
    assert line.main(["show", "study.yaml"]) == 1
    assert "results: no finished study is there" in capsys.readouterr().err


def test_an_option_that_no_command_has_is_refused(study, capsys):
    with pytest.raises(SystemExit) as left:
        line.main(["init", "bids", "--cores", "2"])
    assert left.value.code == 2
    assert "unrecognised arguments: --cores 2" in capsys.readouterr().err
