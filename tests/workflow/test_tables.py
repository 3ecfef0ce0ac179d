"""Anybody's table: from a workbook to the report, and joined to the measures of scans."""

from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
import yaml

from mndmri.io import read_json, read_table
from tests.running import dry_run, finish

REGIONS = ["Precentral", "Postcentral", "Paracentral", "SuperiorFrontal", "MiddleFrontal", "Thalamus"]
REGIONS += ["Caudate", "Putamen", "Pallidum", "Hippocampus", "Insula", "Cerebellum"]
MEASURES = {"QSM": ("ppb", 20.0), "R2star": ("1/s", 35.0), "Volume": ("mm3", 8000.0), "Thickness": ("mm", 2.6)}
MEASURES |= {"T1": ("ms", 1900.0)}
# The whole config of such a study.
CONFIG = """
measures:
  file: lab7t.xlsx
  participant: Subject
  modality: 7T
  wide: {pattern: "{measure}_{region}_{hemi} [{unit}]"}
groups: {column: Diagnosis, levels: {ALS: [ALS], control: [HC]}}
covariates: [Age, Sex]
clinical_scores: [ALSFRS]
higher_is: {7T QSM: damage, 7T Thickness: health}
statistics: {primary: [{modality: 7T, measure: QSM, region: Precentral, hemi: L}]}
"""


def make_workbook(path: Path) -> None:
    """24 people and 120 measures in a wide sheet, a difference of 2.5 SD planted in one of them on both sides."""
    rng = np.random.default_rng(4)
    book = openpyxl.Workbook()
    columns = [f"{name}_{region}_{hemi}" for name in MEASURES for region in REGIONS for hemi in "LR"]
    units = [unit for unit, _ in MEASURES.values() for _ in range(2 * len(REGIONS))]
    header = ["Subject", "Diagnosis", "Age", "Sex", "ALSFRS", "Scanner software"]
    book.active.append([*header, *(f"{name} [{unit}]" for name, unit in zip(columns, units, strict=True))])
    for number in range(24):
        sick = number < 12
        who = [f"P-{number + 1:03d}", "ALS" if sick else "HC", round(rng.normal(60, 8), 1), "MF"[number % 2]]
        row = [*who, int(rng.integers(25, 46)) if sick else None, "VB17"]
        for name in columns:
            size = MEASURES[name.split("_")[0]][1]
            value = size * (1 + 0.1 * rng.standard_normal() + 0.25 * (sick and name.startswith("QSM_Precentral")))
            row.append(None if name == "T1_Insula_R" and number == 3 else value)
        book.active.append(row)
    book.save(path)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Folder of the workbook, and the config with paths in it."""
    folder = tmp_path_factory.mktemp("lab")
    make_workbook(folder / "lab7t.xlsx")
    config = yaml.safe_load(CONFIG)
    config["output_dir"] = str(folder / "results")
    return folder, config


def test_the_config_of_a_wide_workbook_has_ten_lines():
    assert len(CONFIG.strip().splitlines()) == 10


def test_the_first_look_reads_the_workbook(lab):
    folder, config = lab
    run = dry_run(folder, config, "statistics")
    assert run.returncode == 0, run.stderr
    for words in (
        "Participants: 12 ALS, 12 control",
        "120 columns of measures (7T QSM, 7T R2star, 7T Volume, 7T Thickness, 7T T1)",
        "columns that are no measures: Scanner software",
        "Nothing is wrong with the input.",
    ):
        assert words in run.stderr


def test_all_that_is_wrong_with_a_table_is_told_before_anything_runs(lab, tmp_path):
    _, config = lab
    make_workbook(tmp_path / "lab7t.xlsx")
    book = openpyxl.load_workbook(tmp_path / "lab7t.xlsx")
    book.active["G4"], book.active["H5"] = "<0.01", "=A1"
    book.save(tmp_path / "lab7t.xlsx")
    chosen = [{"modality": "7T", "measure": "QSM", "region": "Precentrel", "hemi": "L"}]
    run = dry_run(tmp_path, config | {"statistics": {"primary": chosen}}, "statistics")
    assert run.returncode != 0 and "Traceback" not in run.stderr
    assert "column 'QSM_Precentral_L [ppb]', row 4 (P-003): found '<0.01', a limit and not a value" in run.stderr
    assert "row 5 (P-004): found the formula =A1 without a stored result" in run.stderr
    make_workbook(tmp_path / "lab7t.xlsx")
    run = dry_run(tmp_path, config | {"statistics": {"primary": chosen}}, "statistics")
    assert "primary[0]: the tables have no '7T QSM Precentrel L'; did you mean '7T QSM Precentral L'?" in run.stderr
    run = dry_run(tmp_path, {key: own for key, own in config.items() if key != "statistics"}, "statistics")
    assert "no measure of the tables is primary (statistics.primary): all of them are exploratory" in run.stderr


def join(dataset, folder, text, **keys):
    """Config of a study with scans and a table of metabolites beside it."""
    (folder / "mrs.csv").write_text(text)
    entry = {"file": str(folder / "mrs.csv"), "modality": "mrs", "region": "precentral", "unit": "mM"}
    return dataset | {"tables": [entry | {"wide": {"pattern": "{measure}_{hemi}"}} | keys]}


def test_a_table_that_does_not_fit_the_scans_is_refused(snakemake, dataset, tmp_path):
    text = "participant_id,NAA_L\n01,8.5\n02,9.1\n04,9.9\n"
    run = snakemake(join(dataset, tmp_path, text))
    assert run.returncode != 0
    assert "04 is not in the participants table, while sub-03 is not in this table (is '04' sub-03?)" in run.stderr
    text = text.replace("04", "03").replace("NAA", "fa")
    run = snakemake(join(dataset, tmp_path, text, modality="dwi", region="cst"))
    assert "dwi fa is measured from the scans too; give it another name, as fa_own" in run.stderr
    run = snakemake(join(dataset, tmp_path, text) | {"measures": "mrs.csv"})
    assert "to join the table to the measures of the scans, name it in tables" in run.stderr


def test_brought_measures_join_those_of_the_scans(dataset, tmp_path):
    config = join(dataset, tmp_path, "participant_id,NAA_L,NAA_R,ward\n01,8.123456789,8.5,a\n02,9.1,9,b\n03,,9.9,c\n")
    config["statistics"] = {"primary": [{"modality": "mrs", "measure": "NAA", "region": "precentral", "hemi": "L"}]}
    rows = "modality\tmeasure\tregion\themi\tvalue\tunit\tn_voxels\tstatus\ndwi\tfa\tcst\tL\t0.5\t1\t90\tok\n"
    made = [tmp_path / f"results/sub-{n:02d}/sub-{n:02d}_measures.tsv" for n in (1, 2, 3)]
    for path in made:
        path.parent.mkdir(parents=True)
        path.write_text(rows)
    (tmp_path / "results/.results_of_mndmri.json").write_text("{}")
    aim = str(tmp_path / "results/group/measures.tsv")
    said = finish(tmp_path, config, "--cores", "1", "--allowed-rules", "gather_measures", "--", aim)
    assert "mrs.csv: 2 columns of measures (mrs NAA)" in said
    table = read_table(aim)
    assert table.groupby("participant_id")["modality"].agg(list).tolist() == [["dwi", "mrs", "mrs"]] * 3
    brought = table[table["modality"] == "mrs"].set_index(["participant_id", "hemi"])
    assert brought.loc[("sub-01", "L"), "value"] == 8.123456789
    assert brought.loc[("sub-03", "L"), "status"] == "no value in the table"
    described = read_json(aim.replace(".tsv", ".json"))["measures"]
    assert "Fractional anisotropy" in described["dwi fa"]["Description"]
    assert described["mrs NAA"]["Brought"] == "mrs.csv" and described["mrs NAA"]["Units"] == "mM"
    wide = read_table(aim.replace("measures.tsv", "measures_wide.tsv"))
    assert wide["mrs_NAA_precentral_R"].tolist() == [8.5, 9, 9.9]


@pytest.fixture(scope="module")
def report(lab):
    """The study of the workbook when it has run."""
    folder, config = lab
    config = config | {"statistics": config["statistics"] | {"n_permutations": 199}}
    finish(folder, config, "--cores", "2", "statistics")
    return folder / "results/group"


@pytest.mark.slow
def test_what_was_planted_in_the_workbook_is_found(report):
    rows = read_table(report / "comparisons_wide.tsv").query("contrast == 'ALS-control'")
    assert len(rows) == 120
    [primary] = rows.query("primary == 'yes'").to_dict("records")
    assert primary["p_confirmatory"] < 0.001 and primary["ci_low"] < 5 < primary["ci_high"]
    found = rows.query("q_exploratory < 0.05")
    assert {"Precentral"} == set(found["region"]) and {"QSM"} == set(found["measure"])
    assert set(rows["unit"]) == {unit for unit, _ in MEASURES.values()}
    area = read_table(report / "classification.tsv").query("measure == 'QSM' and region == 'Precentral'")
    assert (area["direction"] == "higher").all() and (area["auc"] > 0.9).all()


@pytest.mark.slow
def test_the_methods_of_a_table_tell_of_what_was_done_and_nothing_else(report):
    text = (report / "methods.md").read_text()
    assert "(QSM, R2star, Volume, Thickness and T1 of 7T) had been computed beforehand" in text
    for absent in ("oxelwise", "iffusion", "along the tract", "motor band", "antspyx", "quality control"):
        assert absent not in text.split("**References**")[0], absent
    assert "correlated with ALSFRS by Spearman" in text


@pytest.mark.slow
def test_the_report_of_a_table_has_its_results_and_no_empty_sections(report):
    page = (report / "report.html").read_text()
    assert "7T: QSM, Precentral, left (ppb)" in page
    assert "Motor band sign" not in page
    assert "Scanner_software" in read_table(report / "measures_wide.tsv").columns
    described = read_json(report / "measures_wide.json")
    assert described["x7T_QSM_Precentral_L"]["Units"] == "ppb"
    assert set(pd.read_csv(report / "measures_wide.tsv", sep="\t").columns) <= set(described)
