"""A study that cannot be measured is refused before anything runs, with everything that is wrong."""

from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest


def refuse(run) -> str:
    """What Snakemake says when it must not start."""
    assert run.returncode != 0, run.stdout + run.stderr
    assert "Traceback" not in run.stderr
    return run.stdout + run.stderr


def table(dataset) -> Path:
    return Path(dataset["bids_dir"], "participants.tsv")


def scan(dataset, name: str) -> Path:
    who, folder = name.split("_")[0], "anat" if "T1w" in name else "dwi"
    return Path(dataset["bids_dir"], who, folder, name)


def test_a_dataset_without_faults_is_planned(snakemake, dataset):
    run = snakemake(dataset)
    assert run.returncode == 0, run.stderr
    assert "extract_cst" in run.stdout + run.stderr


def test_a_misspelt_key_is_named_with_the_nearest_right_one(snakemake, dataset):
    said = refuse(snakemake(dataset | {"modalites": ["t1w"]}))
    assert "modalites" in said
    assert "modalities" in said


def test_the_demo_does_not_lend_its_keys_to_another_study(snakemake, dataset):
    config = {key: value for key, value in dataset.items() if key != "bids_dir"}
    assert "bids_dir" in refuse(snakemake(config))


def test_all_faults_are_told_in_one_list(snakemake, dataset):
    scan(dataset, "sub-01_T1w.nii.gz").unlink()
    scan(dataset, "sub-02_dwi.bval").write_text("0 1000 1000\n")
    whole = scan(dataset, "sub-03_T1w.nii.gz").read_bytes()
    scan(dataset, "sub-03_T1w.nii.gz").write_bytes(whole[: len(whole) // 2])
    said = refuse(snakemake(dataset))
    for who in ("sub-01", "sub-02", "sub-03"):
        assert who in said
    assert "3 entries" in said and "9 volumes" in said


def test_faults_of_the_table_name_row_and_column(snakemake, dataset):
    text = table(dataset).read_text().replace("\t61\t", "\tsixty-one\t")
    table(dataset).write_text(text + "sub-01\tALS\t40\tM\n")
    said = refuse(snakemake(dataset))
    assert "sixty-one" in said and "age" in said
    assert "sub-01" in said and "rows 2, 5" in said


def test_an_empty_group_is_refused(snakemake, dataset):
    table(dataset).write_text(table(dataset).read_text().replace("PLS", "ALS"))
    assert "PLS" in refuse(snakemake(dataset))


@pytest.mark.parametrize("fault", ["four_dimensions", "not_a_number"])
def test_a_t1w_that_cannot_be_used_is_refused(snakemake, dataset, fault):
    path = scan(dataset, "sub-02_T1w.nii.gz")
    image = nb.load(path)
    data = image.get_fdata(dtype=np.float32)
    data = np.stack([data, data], axis=-1) if fault == "four_dimensions" else data
    if fault == "not_a_number":
        data[3, 3, 3] = np.nan
    nb.save(nb.Nifti1Image(data, image.affine), path)
    said = refuse(snakemake(dataset))
    assert "sub-02_T1w.nii.gz" in said
    assert ("4 dimensions" if fault == "four_dimensions" else "NaN") in said


def test_a_participant_without_a_modality_goes_on_without_it(snakemake, dataset):
    for name in ("sub-02_dwi.nii.gz", "sub-02_dwi.bval", "sub-02_dwi.bvec"):
        scan(dataset, name).unlink()
    run = snakemake(dataset)
    assert run.returncode == 0, run.stderr
    plan = run.stdout + run.stderr
    assert "preprocess_t1w/sub-02.log" in plan
    assert "preprocess_dwi/sub-02.log" not in plan


def test_a_bad_scan_can_be_left_out_instead(snakemake, dataset):
    scan(dataset, "sub-02_dwi.bval").write_text("0 1000 1000\n")
    run = snakemake(dataset | {"bad_input": "leave_out"})
    assert run.returncode == 0, run.stderr
    plan = run.stdout + run.stderr
    assert "preprocess_dwi/sub-01.log" in plan
    assert "preprocess_dwi/sub-02.log" not in plan


def test_faulty_series_are_left_out_and_the_one_that_can_be_measured_goes_on(snakemake, dataset):
    bvec = scan(dataset, "sub-01_dwi.bvec")
    np.savetxt(bvec, np.loadtxt(bvec).T)
    image = nb.load(scan(dataset, "sub-03_dwi.nii.gz"))
    nb.save(nb.Nifti1Image(image.get_fdata()[..., :-1], image.affine), scan(dataset, "sub-03_dwi.nii.gz"))
    run = snakemake(dataset | {"bad_input": "leave_out"})
    assert run.returncode == 0, run.stderr
    plan = run.stdout + run.stderr
    assert [f"preprocess_dwi/sub-0{i}.log" in plan for i in (1, 2, 3)] == [False, True, False]


def test_a_method_that_the_scans_do_not_allow_is_refused_with_what_is_missing(snakemake, dataset):
    said = refuse(snakemake(dataset | {"dwi": {"distortion": "reverse"}}))
    assert "3 problems" in said and "sub-02: dwi.distortion reverse needs a second series" in said


def test_norms_may_have_covariates_that_the_config_names_for_some_measures(snakemake, dataset, tmp_path):
    text = table(dataset).read_text().splitlines()
    table(dataset).write_text("\n".join([f"{text[0]}\teducation", *(f"{line}\t12" for line in text[1:])]) + "\n")
    own = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L", "unit": "1", "n": 20, "df": 17, "s": 1}
    terms = [("intercept", "n/a"), ("age", "n/a"), ("sex", "F"), ("sex", "M"), ("education", "n/a")]
    rows = [own | {"term": term, "level": level, "coefficient": 0} for term, level in terms]
    norms = pd.DataFrame(rows).assign(centre=0, lowest=0, highest=99, **{f"cov_{n}": 0 for n in range(1, 6)})
    norms.to_csv(tmp_path / "norms.tsv", sep="\t", index=False)
    asked = dataset | {"norms": str(tmp_path / "norms.tsv")}
    assert "covariates age, sex, education, the config's are age, sex" in refuse(snakemake(asked))
    run = snakemake(asked | {"measure_covariates": {"dwi": ["education"]}})
    assert run.returncode == 0, run.stdout + run.stderr
