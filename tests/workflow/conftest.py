"""Running Snakemake as a user does, on small made-up datasets."""

import json

import nibabel as nb
import numpy as np
import pytest

from tests.running import run


@pytest.fixture
def snakemake(tmp_path):
    """Function that runs Snakemake on a config, in a folder of its own."""
    return lambda config, *arguments: run(tmp_path, config, *arguments)


@pytest.fixture
def dataset(tmp_path):
    """A BIDS dataset of three people that passes every check, and its config."""
    bids = tmp_path / "bids"
    rng = np.random.default_rng(1)
    for who in ("sub-01", "sub-02", "sub-03"):
        for folder in ("anat", "dwi"):
            (bids / who / folder).mkdir(parents=True)
        image = nb.Nifti1Image(rng.uniform(1, 100, (8, 9, 10)).astype(np.float32), np.diag([2, 2.5, 3, 1]))
        nb.save(image, bids / who / "anat" / f"{who}_T1w.nii.gz")
        bvals = np.array([0, *[1000] * 8])
        bvecs = np.column_stack([np.zeros(3), rng.standard_normal((3, 8))])
        bvecs[:, 1:] /= np.linalg.norm(bvecs[:, 1:], axis=0)
        series = rng.uniform(1, 100, (6, 7, 8, 9)).astype(np.float32)
        nb.save(nb.Nifti1Image(series, np.diag([3, 3, 3, 1])), bids / who / "dwi" / f"{who}_dwi.nii.gz")
        np.savetxt(bids / who / "dwi" / f"{who}_dwi.bval", bvals[None], fmt="%g")
        np.savetxt(bids / who / "dwi" / f"{who}_dwi.bvec", bvecs, fmt="%.6f")
    (bids / "dataset_description.json").write_text(json.dumps({"Name": "made up", "BIDSVersion": "1.9.0"}))
    (bids / "participants.tsv").write_text(
        "participant_id\tgroup\tage\tsex\nsub-01\tALS\t61\tF\nsub-02\tPLS\t58\tM\nsub-03\tHC\t60\tF\n"
    )
    return {"bids_dir": str(bids), "output_dir": str(tmp_path / "results"), "modalities": ["t1w", "dwi"]}
