"""A real person measured in a space and with regions of the user's own."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mndmri.atlas.regions import select
from mndmri.grids import world_coordinates
from mndmri.io import load_image, read_json, read_table, write_table
from tests.running import finish, run

pytestmark = [pytest.mark.real, pytest.mark.slow]

WHO = "sub-iu01"
# Labels of the JHU atlas (Mori et al. 2008, NeuroImage 40:570)
JHU = {
    "cst_pons": {"L": 8, "R": 7},
    "cst_peduncle": {"L": 16, "R": 15},
    "cst_plic": {"L": 20, "R": 19},
    "cst_corona_radiata": {"L": 26, "R": 25},
}
OWN_SPACE = "MNI152NLin2009aSym"


def study(real_data, folder, atlas):
    """Config of a study whose regions are those of an atlas; one person is measured, the groups are invented."""
    people = {"participant_id": [WHO, "sub-philips01"], "group": ["control", "ALS"], "age": [50, 40], "sex": ["F", "F"]}
    participants = pd.DataFrame(people)
    write_table(participants, folder / "participants.tsv")
    return {
        "bids_dir": str(real_data / "real"),
        "output_dir": str(folder / "results"),
        "participants": str(folder / "participants.tsv"),
        "groups": {"levels": {"ALS": ["ALS"], "control": ["control"]}},
        "modalities": ["t1w", "dwi"],
        "atlas": atlas,
        "t1w": {"registration_mm": 2.5, "registration_iterations": [60, 40, 10]},
        "dwi": {"denoise": False, "gibbs": False, "motion": False, "tractography": False},
    }


def measure(folder, config):
    """The person's measures by kind, and their results' folder."""
    table = f"{folder}/results/{WHO}/{WHO}_measures.tsv"
    finish(folder, config, "--cores", "2", "--", table, f"{folder}/results/provenance.json")
    rows = read_table(table).set_index(["modality", "measure", "region", "hemi"])
    return rows, folder / "results"


def jhu(real_data, folder, mirrored=False):
    rows = [(index, region, hemi) for region, sides in JHU.items() for hemi, index in sides.items()]
    table = pd.DataFrame(rows, columns=["index", "region", "hemi"])
    if mirrored:
        table = table.assign(hemi=table["hemi"].map({"L": "R", "R": "L"}))
    write_table(table, folder / "jhu.tsv")
    labels = real_data / "atlases/JHU_space-MNI152NLin6_res-1x1x1.nii.gz"
    return {"labels": str(labels), "table": str(folder / "jhu.tsv")}


@pytest.fixture(scope="module")
def by_jhu(real_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("jhu")
    return measure(folder, study(real_data, folder, jhu(real_data, folder)))


@pytest.fixture(scope="module")
def in_own_space(real_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("space")
    bundled = Path(find_spec("nilearn").origin).parent / "datasets/data"
    template = {"template": str(bundled / "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"), "space": OWN_SPACE}
    return measure(folder, study(real_data, folder, template))


def test_the_levels_of_the_tract_are_those_of_the_jhu_labels(by_jhu, real_data):
    rows, results = by_jhu
    fa = rows["value"].loc[("dwi", "fa")]
    for hemi in "LR":
        assert 0.5 < fa["cst_plic", hemi] < 0.75
    prefix = results / "resources/tpl-MNI152NLin6Asym"
    atlas, table = (
        load_image(f"{prefix}_res-01_atlas-mndmri_probseg.nii"),
        read_table(f"{prefix}_atlas-mndmri_dseg.tsv"),
    )
    labels = load_image(real_data / "atlases/JHU_space-MNI152NLin6_res-1x1x1.nii.gz")
    n_voxels = np.bincount(np.asarray(labels.dataobj).astype(int).ravel())
    for region, sides in JHU.items():
        for hemi, index in sides.items():
            own = select(atlas, table, region, hemi).get_fdata() > 0.5
            assert own.sum() == n_voxels[index]
            assert np.sign(world_coordinates(atlas)[own][:, 0].mean()) == {"L": -1, "R": 1}[hemi]


# left: 14.5 ml in the other template, 16.8 in the built-in one
@pytest.mark.parametrize(
    "hemi", [pytest.param("L", marks=pytest.mark.xfail(reason="the aim is missed", strict=True)), "R"]
)
def test_a_gyrus_has_the_same_volume_in_another_template(by_jhu, in_own_space, hemi):
    """The gyri are the built-in ones in both, in one of them brought over by registration."""
    there, here = (rows["value"]["t1w", "volume", "precentral", hemi] for rows, _ in (by_jhu, in_own_space))
    assert here == pytest.approx(there, rel=0.1)


def test_a_person_measures_alike_in_another_template(by_jhu, in_own_space):
    rows, results = in_own_space
    for hemi in "LR":
        assert 0.5 < rows["value"]["dwi", "fa", "cst_plic", hemi] < 0.75
    assert rows["value"]["dwi", "fa", "cc_midbody", "both"] == pytest.approx(
        by_jhu[0]["value"]["dwi", "fa", "cc_midbody", "both"], abs=0.05
    )
    quality = read_table(results / WHO / f"{WHO}_qc.tsv").set_index(["measure"])["value"]
    assert quality["dice_gm"] > 0.75


def test_the_name_of_the_space_stands_in_every_file_in_it(in_own_space):
    _, results = in_own_space
    names = [path.name for path in results.rglob("*") if path.is_file() and "logs" not in path.parts]
    assert not [name for name in names if "MNI152NLin6Asym" in name]
    for name in (
        f"{WHO}_from-T1w_to-{OWN_SPACE}_mode-image_xfm.nii.gz",
        f"{WHO}_space-{OWN_SPACE}_label-GM_desc-modulated_probseg.nii.gz",
        f"{WHO}_space-{OWN_SPACE}_model-tensor_param-fa_dwimap.nii.gz",
        f"tpl-{OWN_SPACE}_atlas-mndmri_dseg.tsv",
    ):
        assert name in names
    assert read_json(results / "provenance.json")["config"]["atlas"]["space"] == OWN_SPACE


def test_a_mirrored_atlas_stops_the_run_before_anything_is_computed(real_data, tmp_path):
    config = study(real_data, tmp_path, jhu(real_data, tmp_path, mirrored=True))
    refused = run(tmp_path, config, "--cores", "1")
    assert refused.returncode != 0
    assert "left is at negative x" in refused.stdout + refused.stderr
    assert not (tmp_path / "results/resources").exists()
