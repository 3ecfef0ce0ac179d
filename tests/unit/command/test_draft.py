"""A config is made from what is in a dataset, and says what it was made from."""

import pytest
import yaml

from mndmri.cohort.config import resolve_config
from mndmri.command.draft import draft_config
from mndmri.command.place import pipeline_folder
from mndmri.io import InputError

SCHEMA = yaml.safe_load((pipeline_folder() / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
ANAT = ("anat/{who}_T1w.nii.gz",)


def dataset(folder, table, files=ANAT):
    """A dataset of empty files: a draft is made from names alone."""
    (folder / "participants.tsv").write_text("\n".join(row.replace(" ", "\t") for row in table) + "\n")
    for row in table[1:]:
        who = row.split()[0]
        for file in files:
            path = folder / who / file.format(who=who)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return folder


def draft(folder, **options):
    return draft_config(folder, output_dir="out", schema=SCHEMA, **options)


@pytest.mark.parametrize(
    ("label", "group"),
    [
        ("ALS", "ALS"),
        ("als-bulbar", "ALS"),
        ("MND", "ALS"),
        ("PLS", "PLS"),
        ("HC", "control"),
        ("Healthy_Controls", "control"),
        ("ctrl", "control"),
        ("FTD", "FTD"),
        ("false", "false"),
        ("non-ALS", "non-ALS"),
        ("ALS_mimic", "ALS_mimic"),
        ("relative-of-ALS", "relative-of-ALS"),
    ],
)
def test_a_label_belongs_to_the_group_that_it_usually_means(tmp_path, label, group):
    made = draft(dataset(tmp_path, ["participant_id diagnosis", f"sub-1 {label}", "sub-2 PLS", "sub-3 NC"]))
    assert made.config["groups"]["column"] == "diagnosis"
    assert label in made.config["groups"]["levels"][group]
    assert made.config["groups"]["reference"] == "control"


def test_the_column_whose_labels_are_known_goes_before_one_of_a_usual_name(tmp_path):
    made = draft(dataset(tmp_path, ["participant_id cohort status", "sub-1 x ALS", "sub-2 y control"]))
    assert made.config["groups"]["column"] == "status"


def test_a_column_of_a_usual_name_goes_before_one_in_which_somebody_is_normal(tmp_path):
    made = draft(dataset(tmp_path, ["participant_id group neuro_exam", "sub-1 1 normal", "sub-2 2 abnormal"]))
    assert made.config["groups"]["column"] == "group"


def test_without_controls_there_is_no_reference_and_that_is_said(tmp_path):
    made = draft(dataset(tmp_path, ["participant_id group", "sub-1 young", "sub-2 old"]))
    assert made.config["groups"]["reference"] is None
    assert any("nobody is compared" in line for line in made.remarks)


def test_columns_that_every_study_has_are_found_and_those_that_do_not_vary_are_not_used(tmp_path):
    table = ["participant_id group age sex site alsfrs_r umn_left", "sub-1 ALS 50 M A 40 3", "sub-2 HC 60 M B n/a 1"]
    config = draft(dataset(tmp_path, table)).config
    assert config["covariates"] == ["age"]
    assert config["site"] == "site"
    assert config["clinical_scores"] == ["umn_left"]


def test_modalities_are_those_of_which_there_are_files(tmp_path):
    files = [*ANAT, "swi/{who}_swi.nii.gz", "anat/{who}_FLAIR.nii.gz"]
    made = draft(dataset(tmp_path, ["participant_id group", "sub-1 ALS", "sub-2 HC"], files))
    assert made.config["modalities"] == ["t1w", "swi", "flair"]
    assert "swi: 2 of 2" in made.remarks


def test_of_several_sessions_the_first_that_most_have_is_taken(tmp_path):
    late = ["ses-2/anat/{who}_ses-2_T1w.nii.gz", "ses-2/swi/{who}_ses-2_swi.nii.gz"]
    folder = dataset(tmp_path, ["participant_id group", "sub-1 ALS", "sub-2 HC"], late)
    early = folder / "sub-1/ses-1/anat/sub-1_ses-1_T1w.nii.gz"
    early.parent.mkdir(parents=True)
    early.touch()
    made = draft(folder)
    assert made.config["t1w"]["pattern"] == "ses-2/anat/*_T1w.nii.gz"
    assert all(pattern.startswith("ses-2/") for pattern in made.config["swi"]["patterns"])
    assert made.config["modalities"] == ["t1w", "swi"]
    assert "flair" not in made.config
    assert any("ses-1 (1), ses-2 (2): ses-2 is taken" in line for line in made.remarks)


def test_the_draft_is_a_config(tmp_path):
    made = draft(dataset(tmp_path, ["participant_id group age", "sub-1 ALS 50", "sub-2 HC 60"]))
    assert resolve_config(made.config, SCHEMA)["groups"]["levels"] == {"ALS": ["ALS"], "control": ["HC"]}


@pytest.mark.parametrize(
    ("table", "options", "words"),
    [
        (["participant_id age", "sub-1 50"], {}, "no column looks like the groups; name it with --group"),
        (["subject group", "sub-1 ALS"], {}, "no column participant_id; it has subject, group"),
        (["participant_id group", "sub-1 ALS"], {"group_column": "dx"}, "no column 'dx'; it has participant_id, group"),
        (["participant_id group", *(f"sub-{n} g{n}" for n in range(12))], {}, "12 different labels"),
    ],
)
def test_what_cannot_be_made_out_is_said(tmp_path, table, options, words):
    with pytest.raises(InputError, match=words):
        draft(dataset(tmp_path, table), **options)


def test_a_folder_that_is_no_dataset_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"participants\.tsv: no such file"):
        draft(tmp_path)
    (tmp_path / "participants.tsv").write_text("participant_id\tgroup\nsub-1\tALS\n")
    with pytest.raises(InputError, match="is it the root of the dataset"):
        draft(tmp_path)


def test_somebody_without_a_folder_is_named(tmp_path):
    folder = dataset(tmp_path, ["participant_id group", "sub-1 ALS", "sub-2 HC"])
    with (folder / "participants.tsv").open("a") as table:
        table.write("sub-3\tALS\n")
    assert "no folder in the dataset: sub-3" in draft(folder).remarks
