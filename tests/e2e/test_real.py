"""Real people, where the scans are at hand: one up to the measures, two through every stage.

`make test` measures one, from a diffusion series without the air around the head and with a coarser registration, and
looks whether the wrong gradient table of another is found; the slow tests measure both as any study does.
"""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from mndmri.atlas.levels import CST_LEVELS_Z_MM
from mndmri.atlas.regions import select
from mndmri.io import load_image, read_table
from mndmri.jobs import cost_of_job
from tests.running import finish, run

pytestmark = pytest.mark.real

WHO = "sub-philips01"
OTHER = "sub-iu01"  # b = 2500 s/mm2 alone, and no gradient-echo scan; the group is invented
WITHOUT_AIR = (slice(20, 104), slice(12, 119))  # of the first one's diffusion series: the head, and 1 cm about it


def study(folder: Path, bids: Path, **t1w) -> dict:
    """Config of a study of the two."""
    table = pd.DataFrame({"participant_id": [WHO, OTHER], "group": ["control", "ALS"], "age": [40, 50], "sex": "F"})
    table.to_csv(folder / "participants.tsv", sep="\t", index=False)
    return {
        "bids_dir": str(bids),
        "output_dir": str(folder / "results"),
        "participants": str(folder / "participants.tsv"),
        "groups": {"levels": {"ALS": ["ALS"], "control": ["control"]}},
        "t1w": {"thickness_max_voxel_mm": 0.5, **t1w},  # no thickness, which would take two minutes
        "dwi": {"gibbs": False},
        "statistics": {"n_permutations": 100, "map_permutations": 100},
    }


@pytest.fixture(scope="module")
def with_a_wrong_table(real_data, tmp_path_factory):
    """Results of the first of them, the other's right gradient table, and how the run ended, which had a wrong one.

    One run: each of the two has a core.
    """
    folder = tmp_path_factory.mktemp("real")
    for path in [path for who in (WHO, OTHER) for path in (real_data / "real" / who).rglob("*")]:
        if path.is_file() and "fmap" not in path.parts:
            place = folder / "bids" / path.relative_to(real_data / "real")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(path)
    series = folder / f"bids/{WHO}/dwi/{WHO}_dwi.nii.gz"
    head = nib.load(series).slicer[WITHOUT_AIR]
    series.unlink()
    nib.save(head, series)
    wrong = folder / f"bids/{OTHER}/dwi/{OTHER}_dir-AP_dwi.bvec"
    right = np.loadtxt(wrong)
    wrong.unlink()
    np.savetxt(wrong, right[[1, 0, 2]] * [[1], [-1], [1]])
    config = study(folder, folder / "bids", registration_mm=2.5, registration_iterations=[60, 40, 10])
    aims = [
        f"{folder}/results/{WHO}/{WHO}_measures.tsv",
        f"{folder}/results/{OTHER}/dwi/{OTHER}_desc-gradients_ranking.tsv",
    ]
    done = run(folder, config, "--cores", "2", "--keep-going", "--", *aims)
    return folder / "results", right, done


@pytest.fixture(scope="module")
def quick(with_a_wrong_table):
    """What is measured in the first of them, and how in `make test`."""
    return with_a_wrong_table[0]


@pytest.fixture(scope="module")
def whole(real_data, tmp_path_factory):
    """A study of the two to its end."""
    folder = tmp_path_factory.mktemp("whole")
    finish(folder, study(folder, real_data / "real"), "--cores", "2")
    return folder / "results"


@pytest.fixture(scope="module", params=["quick", pytest.param("whole", marks=pytest.mark.slow)])
def results(request):
    """What is measured in the first of them, either way."""
    return request.getfixturevalue(request.param)


PEOPLE = [(WHO, "quick")] + [pytest.param((who, "whole"), marks=pytest.mark.slow) for who in (WHO, OTHER)]


@pytest.fixture(scope="module", params=PEOPLE, ids="-".join)
def person(request):
    """Each of the two: participant id, and where the results are."""
    who, made = request.param
    return who, request.getfixturevalue(made) / who


@pytest.fixture(scope="module")
def values(results):
    table = read_table(results / WHO / f"{WHO}_measures.tsv")
    return table.set_index(["modality", "measure", "region", "hemi"])


def test_volumes_are_those_of_an_adult(values):
    volume = values["value"].loc[("t1w", "volume")]
    assert 1200 < volume["tiv", "both"] < 1900
    assert 450 < volume["gm", "both"] < 850
    for hemi in "LR":
        assert 5 < volume["precentral", hemi] < 20


def test_tract_values_are_plausible_and_alike_on_both_sides(values):
    fa = values["value"].loc[("dwi", "fa")]
    left, right = fa["cst", "L"], fa["cst", "R"]
    assert 0.35 < left < 0.65 and 0.35 < right < 0.65
    assert abs(left - right) / (left + right) * 2 < 0.15
    assert 0.6 < values["value"].loc[("dwi", "md", "cst", "L")] < 0.9


def test_the_capsules_level_lies_on_the_internal_capsule(person):
    """Beside it, in the thalamus or putamen, FA is below 0.5, and fibres run every way."""
    who, folder = person
    rows = read_table(folder / "dwi" / f"{who}_desc-cst_measures.tsv").set_index(["measure", "region", "hemi"])["value"]
    for hemi in "LR":
        assert 0.5 < rows["fa", "cst_plic", hemi] < 0.75


def test_fibres_run_up_in_the_capsule_and_across_in_the_callosum(results):
    """The left tract lies on the left, too: its label's x is negative in this upright head."""
    prefix = results / WHO / "dwi" / WHO
    v1 = np.abs(load_image(f"{prefix}_space-dwi_model-tensor_param-v1_dwimap.nii.gz").get_fdata())
    fa = load_image(f"{prefix}_space-dwi_model-tensor_param-fa_dwimap.nii.gz").get_fdata()
    regions = f"{prefix}_space-dwi_atlas-mndmri_probseg"
    for hemi, side in (("L", -1), ("R", 1)):
        tract = select(load_image(f"{regions}.nii.gz"), read_table(f"{regions}.tsv"), "cst", hemi)
        inside = (tract.get_fdata() > 0.5) & (fa > 0.4)
        assert np.median(v1[inside], axis=0).argmax() == 2
        x = np.argwhere(inside) @ tract.affine[0, :3] + tract.affine[0, 3]
        assert np.sign(x.mean()) == side


def test_the_gradient_table_fits_as_it_is(person):
    who, folder = person
    ranking = read_table(folder / "dwi" / f"{who}_desc-gradients_ranking.tsv")
    assert len(ranking) == 24
    assert ranking.loc[0, "order"] == "x y z"
    assert ranking.loc[0, "coherence"] > ranking.loc[1, "coherence"] + 0.05


def test_a_wrong_gradient_table_stops_its_participant_with_a_suggestion_that_is_right(with_a_wrong_table):
    results, right, done = with_a_wrong_table
    assert done.returncode != 0
    name = f"{OTHER}_dir-AP_dwi.bvec"
    assert f"{OTHER}: {name}: the gradient table does not fit the images: fibre coherence " in done.stderr, done.stderr
    suggested = np.loadtxt(results / OTHER / "dwi" / f"{OTHER}_desc-suggested_dwi.bvec")
    # a direction and its opposite are one
    assert np.abs(np.sum(suggested * right, axis=0))[1:].min() > 0.999


def quality_of(folder):
    """Quality of the diffusion series, but what there is by level of the tract."""
    rows = read_table(folder / f"{folder.name}_qc.tsv").query("modality == 'dwi'")
    return rows.drop_duplicates(["measure", "hemi"], keep=False).set_index(["measure", "hemi"])["value"]


def test_distortion_is_corrected_by_what_there_is_and_images_agree_the_better(person):
    """A series of opposite phase encoding in one person, nothing but the T1w image in the other."""
    who, folder = person
    code, gain = {OTHER: (1, 0.2), WHO: (3, 0.0)}[who]
    quality = quality_of(folder)
    assert quality["distortion_correction", "both"] == code
    assert quality["distortion_dropped", "both"] == 0
    assert quality["distortion_agreement", "both"] >= quality["distortion_agreement_raw", "both"] + gain
    assert quality["neighbour_correlation", "both"] > quality["neighbour_correlation_raw", "both"] - 0.005
    assert quality["outlier_slices", "both"] < 0.02


def test_streamlines_lie_on_their_own_side(person):
    who, folder = person
    for hemi, side in (("L", -1), ("R", 1)):
        assert quality_of(folder)["n_streamlines", hemi] > 30
        tractogram = nib.streamlines.load(folder / "dwi" / f"{who}_space-dwi_hemi-{hemi}_label-CST_tractogram.trk")
        points = np.concatenate(list(tractogram.streamlines))
        assert np.mean(np.sign(points[:, 0]) == side) > 0.95
    profile = read_table(folder / "dwi" / f"{who}_desc-tracked_profile.tsv").query("measure == 'fa'")
    assert profile["value"].between(0.1, 0.9).all()
    begins = profile.groupby("hemi")["height_mm"].first()
    np.testing.assert_allclose(begins, CST_LEVELS_Z_MM["cst_plic"][0], atol=1)


def test_voxels_of_three_millimetres_do_not_resolve_the_band_and_it_is_said(values):
    deep = values.loc[("swi", "normalised_hypointensity", "precentral_posterior_deep", "L")]
    assert np.isnan(deep["value"])
    assert "do not resolve the band" in deep["status"]
    assert np.isfinite(values.loc[("swi", "normalised_hypointensity", "precentral", "L"), "value"])


def test_iron_is_paramagnetic_in_the_real_phase(results, values):
    white = values.loc[("qsm", "chi_mean", "reference_wm", "both"), "value"]
    for hemi in "LR":
        # 0.1 to 0.2 ppm above white matter in adults (Liu et al. 2015, NMR Biomed 28:1255)
        assert 0.08 < values.loc[("qsm", "chi_mean", "pallidum", hemi), "value"] - white < 0.25
    sidecar = json.loads((results / WHO / "swi" / f"{WHO}_Chimap.json").read_text())
    assert sidecar["ParamagneticSign"] == 1 and sidecar["Unknown"] == ""


@pytest.mark.slow
def test_the_score_is_not_assessable_on_voxels_of_three_millimetres(whole):
    scores = read_table(whole / "group/measures.tsv").query("participant_id == @WHO and measure == 'motor_band_score'")
    assert len(scores) == 7 and scores["value"].isna().all()
    assert scores["status"].str.startswith("not assessable: in-plane voxels of 3 mm").all()


def test_nothing_of_the_person_but_the_studys_id_is_in_the_results(results):
    for path in [*results.rglob("*.log"), *results.rglob("*.html"), *results.rglob("*.json"), *results.rglob("*.tsv")]:
        text = path.read_text(errors="ignore")
        for personal in ("45053", "13:37:33", "d2n_Philips"):  # serial number, time and procedure in the sidecars
            assert personal not in text, path


@pytest.mark.slow
def test_every_slice_of_a_person_takes_at_most_three_megabytes_and_ten_cpu_seconds(whole):
    assert (whole / WHO / f"{WHO}_viewer.html").stat().st_size < 3e6
    assert cost_of_job(whole / f"logs/draw_viewer/{WHO}.log").cpu_s < 10


@pytest.mark.slow
def test_a_series_of_one_high_shell_is_measured_and_it_is_said(whole):
    table = read_table(whole / OTHER / f"{OTHER}_measures.tsv").set_index(["modality", "measure", "region", "hemi"])
    assert 0.35 < table.loc[("dwi", "fa", "cst", "L"), "value"] < 0.65
    sidecar = (whole / OTHER / "dwi" / f"{OTHER}_space-dwi_model-tensor_dwimap.json").read_text()
    assert "all 20 directions" in sidecar and "2500" in sidecar


@pytest.mark.slow
def test_one_person_in_a_group_is_a_row_with_a_note_and_no_crash(whole):
    rows = read_table(whole / "group/comparisons.tsv").query("reported == 'yes' and contrast != 'group'")
    assert len(rows)
    assert rows["p"].isna().all()
    assert rows["note"].notna().all()
    measures = read_table(whole / "group/measures.tsv").query("participant_id == @OTHER and modality == 'swi'")
    assert len(measures) and measures["value"].isna().all()


@pytest.mark.slow
def test_levels_below_a_slab_are_missing_with_the_reason_and_the_others_are_measured(real_data, tmp_path):
    who = "sub-uih02"
    people = {"participant_id": [who, OTHER], "group": ["control", "ALS"], "age": [40, 50], "sex": "F"}
    pd.DataFrame(people).to_csv(tmp_path / "participants.tsv", sep="\t", index=False)
    config = {
        "bids_dir": str(real_data / "real"),
        "output_dir": str(tmp_path / "results"),
        "modalities": ["t1w", "dwi"],
        "participants": str(tmp_path / "participants.tsv"),
        "groups": {"levels": {"ALS": ["ALS"], "control": ["control"]}},
    }
    measures = tmp_path / "results" / who / "dwi" / f"{who}_desc-cst_measures.tsv"
    finish(tmp_path, config, "--cores", "2", "--", str(measures))
    rows = read_table(measures).query("measure == 'fa'").set_index(["region", "hemi"])
    for hemi in "LR":
        for level in ("cst_peduncle", "cst_pons"):
            assert np.isnan(rows.loc[(level, hemi), "value"])
            assert rows.loc[(level, hemi), "status"].startswith("field of view covers ")
        for level in ("cst", "cst_subcortical", "cst_corona_radiata", "cst_plic"):
            assert 0.3 < rows.loc[(level, hemi), "value"] < 0.65
