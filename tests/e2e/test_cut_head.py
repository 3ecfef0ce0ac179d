"""A real man whose T1w image ends in the right hemisphere in one of four positions, on slices of 4.8 mm."""

import pandas as pd
import pytest

from mndmri.io import load_image, read_table
from tests.running import finish

pytestmark = [pytest.mark.real, pytest.mark.slow]

CUT = "sub-crHFDL"


@pytest.fixture(scope="module")
def study(real_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cut")
    table = pd.DataFrame({"participant_id": [CUT], "group": ["control"], "age": [40], "sex": ["M"]})
    table.to_csv(folder / "participants.tsv", sep="\t", index=False)
    config = {
        "bids_dir": str(real_data / "real_repeats"),
        "output_dir": str(folder / "results"),
        "participants": str(folder / "participants.tsv"),
        "groups": {"levels": {"control": ["control"]}},
        "modalities": ["t1w"],
    }
    return folder, config


def measured(study, **t1w):
    """Volumes and quality rows under other limits of the T1w stage."""
    folder, config = study
    stem = folder / "results" / CUT / "anat" / CUT
    finish(folder, config | {"t1w": t1w}, "--cores", "1", "--", f"{stem}_desc-volumes_measures.tsv")
    volumes = read_table(f"{stem}_desc-volumes_measures.tsv").set_index(["region", "hemi"])
    return volumes, read_table(f"{stem}_desc-t1w_qc.tsv").set_index(["measure", "region", "hemi"])["value"], stem


def test_what_the_image_cuts_is_missing_with_the_reason_and_the_other_side_is_measured(study):
    volumes, quality, stem = measured(study, max_voxel_mm=5)
    for whole in ("tiv", "gm", "wm", "csf"):
        assert "the image ends inside the brain" in volumes.loc[(whole, "both"), "status"]
    for region in ("precentral", "postcentral", "middle_frontal"):
        assert "field of view covers" in volumes.loc[(region, "R"), "status"]
        assert volumes.loc[(region, "L"), "status"] == "ok"
    assert quality["border_area", "brain", "both"] > 100  # cm2; 25 with a mask that ends before the image
    assert quality["region_coverage", "precentral", "R"] < 0.9
    assert quality["region_coverage", "precentral", "L"] > 0.99
    # the image's last two sagittal slices hold brain
    mask = load_image(f"{stem}_desc-brain_mask.nii.gz").get_fdata()
    assert (mask[-2:].sum(axis=(1, 2)) > 0.7 * mask[-3].sum()).all()


def test_slices_of_5_mm_have_no_volumes_by_default(study):
    volumes, quality, _ = measured(study)
    assert volumes["value"].isna().all()
    assert volumes["status"].str.contains("voxels of 4.8 mm are too long").all()
    assert quality["longest_voxel", "brain", "both"] == pytest.approx(4.8)
