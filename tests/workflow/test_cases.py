"""Inputs of public bug reports, each made small: refused, noted or used rightly, before anything is computed."""

import gzip
import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from tests.workflow.stubs import THREE_ECHOES, add_contrast, add_gradient_echo, directions, make_dataset

PEOPLE = tuple(f"sub-{number:02d}" for number in range(1, 7))


@pytest.fixture
def study(tmp_path):
    """Folder of a dataset of six people with everything, and the config."""
    bids = tmp_path / "bids"
    make_dataset(bids, PEOPLE)
    for who in PEOPLE:
        add_gradient_echo(bids, who, *THREE_ECHOES)
        sidecar(bids / who / f"dwi/{who}_dwi.json", PhaseEncodingDirection="j-", TotalReadoutTime=0.05)
    return bids, {"bids_dir": str(bids), "output_dir": str(tmp_path / "results"), "modalities": ["t1w", "dwi", "swi"]}


@pytest.fixture
def look(snakemake):
    """Function that gives what a dry run says on a config; a study that is not `refused` must be planned."""

    def said(config, *, refused=False) -> str:
        run = snakemake(config)
        text = run.stdout + run.stderr
        assert (run.returncode != 0) == refused, text
        assert "Traceback" not in text and "common.smk" not in text
        return text

    return said


def sidecar(path: Path, **content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def save(path: Path, data, affine=None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nb.save(nb.Nifti1Image(np.asarray(data, np.float32), np.diag([3.0, 3, 3, 1]) if affine is None else affine), path)


def table_of(bids: Path, rows: list[str], header="participant_id\tgroup\tage\tsex") -> None:
    (bids / "participants.tsv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


def rows(sex=None, **more) -> list[str]:
    groups = ["ALS", "PLS", "HC"] * 2
    sexes = sex or ["F", "M", "F", "M", "M", "F"]
    return [f"{who}\t{group}\t{50 + n}\t{sexes[n]}" for n, (who, group) in enumerate(zip(PEOPLE, groups, strict=True))]


def series(bids: Path, who: str) -> nb.Nifti1Image:
    return nb.load(bids / who / f"dwi/{who}_dwi.nii.gz")


def write_series(bids: Path, who: str, data, b, vectors) -> None:
    stem = bids / who / f"dwi/{who}_dwi"
    save(stem.with_suffix(".nii.gz"), data, series(bids, who).affine)
    np.savetxt(stem.with_suffix(".bval"), np.atleast_2d(b), fmt="%g")
    np.savetxt(stem.with_suffix(".bvec"), vectors, fmt="%.6f")


def table(bids: Path, who: str) -> tuple[np.ndarray, np.ndarray]:
    stem = bids / who / f"dwi/{who}_dwi"
    return np.loadtxt(stem.with_suffix(".bval")), np.loadtxt(stem.with_suffix(".bvec"))


# ---------------------------------------------------------------- files


def test_a_link_to_what_was_not_fetched_is_told(study, look):
    """nipreps/fmriprep#1177, bids-standard/pybids#631."""
    bids, config = study
    path = bids / "sub-02/dwi/sub-02_dwi.nii.gz"
    path.unlink()
    path.symlink_to("../../.git/annex/objects/x1/y2/MD5E-s123--abc.nii.gz")
    assert "sub-02: dwi/sub-02_dwi.nii.gz: a link to a file that is not there" in look(config, refused=True)
    said = look(config | {"bad_input": "leave_out"})
    assert "dwi: 5 of 6; without: sub-02 (dwi/sub-02_dwi.nii.gz: a link to a file that is not there" in said


@pytest.mark.parametrize("name", ["dwi/sub-02_dwi", "anat/sub-02_FLAIR", "anat/sub-02_T2w", "anat/sub-02_T1w"])
def test_an_uncompressed_image_is_used(study, look, name):
    """nipreps/fmriprep#1005, bids-standard/pybids#133."""
    bids, config = study
    for suffix in ("FLAIR", "T2w"):
        for who in PEOPLE:
            add_contrast(bids, who, suffix)
    path = bids / "sub-02" / f"{name}.nii.gz"
    path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
    path.unlink()
    said = look(config | {"modalities": ["t1w", "dwi", "swi", "flair", "t2w"]})
    assert "6 of 6" in said and "5 of 6" not in said
    assert f"{name}.nii" in said


def test_what_a_mac_leaves_behind_is_not_looked_at(study, look):
    """OpenNeuroOrg/openneuro#2520."""
    bids, config = study
    for path in [p for p in bids.rglob("sub-*") if p.is_file()]:
        path.with_name("._" + path.name).write_bytes(b"\x00\x05\x16\x07" + bytes(160))
    (bids / "._sub-02").write_bytes(b"\x00\x05\x16\x07")
    (bids / "._participants.tsv").write_bytes(b"\x00\x05\x16\x07")
    said = look(config)
    assert "t1w: 6 of 6" in said and "gradient echo: 6 with 3 echoes; phase in 6" in said
    assert "without a row" not in said


@pytest.mark.parametrize(("pairs", "used"), [(1, True), (2, False)])
def test_a_reverse_image_that_names_no_series_is_used_if_it_is_the_only_one(study, look, pairs, used):
    """nipreps/fmriprep#2016, #958."""
    bids, config = study
    for who in PEOPLE:
        for run in range(1, pairs + 1):
            stem = bids / who / f"fmap/{who}_dir-PA_run-{run}_epi"
            save(stem.with_suffix(".nii.gz"), series(bids, who).get_fdata()[..., 0], series(bids, who).affine)
            sidecar(stem.with_suffix(".json"), PhaseEncodingDirection="j", TotalReadoutTime=0.05)
    said = look(config)
    how = "by the series of opposite phase encoding" if used else "by the T1w image"
    assert f"distortion of dwi: {how} in 6" in said
    assert "which names no series, is used" in said if used else "are not used, as none says for which series" in said


@pytest.mark.parametrize("why", ["another grid", "a field map is meant for the series"])
def test_a_reverse_image_that_is_surely_of_something_else_is_not_used(study, look, why):
    """Pairs of opposite phase encoding are mostly acquired for functional series."""
    bids, config = study
    for who in PEOPLE:
        stem = bids / who / f"fmap/{who}_dir-PA_epi"
        data, affine = series(bids, who).get_fdata()[..., 0], series(bids, who).affine
        save(stem.with_suffix(".nii.gz"), data[:-1] if why == "another grid" else data, affine)
        sidecar(stem.with_suffix(".json"), PhaseEncodingDirection="j", TotalReadoutTime=0.05)
        if why != "another grid":
            for name in ("phasediff", "magnitude1"):
                path = bids / who / f"fmap/{who}_{name}.nii.gz"
                save(path, np.random.default_rng(1).uniform(-4096, 4095, data.shape), affine)
                sidecar(path.with_name(f"{who}_{name}.json"), EchoTime1=0.005, EchoTime2=0.0075,
                        IntendedFor=f"dwi/{who}_dwi.nii.gz")  # fmt: skip
    how = "by the T1w image" if why == "another grid" else "by a field map"
    assert f"distortion of dwi: {how} in 6" in look(config)


def test_a_link_above_the_participants_to_what_was_not_fetched_is_told(study, look):
    bids, config = study
    (bids / "T1w.json").symlink_to(".git/annex/objects/MD5E-s1--abc.json")
    said = look(config, refused=True)
    assert "T1w.json: a link to a file that is not there" in said


def test_a_dry_run_says_what_a_run_would(study, look):
    bids, config = study
    table_of(bids, [*rows(), "sub-11\tmimic\t44\tM"])
    (bids / "sub-99/anat").mkdir(parents=True)
    for who in PEOPLE:
        sidecar(bids / who / f"dwi/{who}_dwi.json")
    said = look(config)
    assert "Participants: 2 ALS, 2 PLS, 2 control" in said
    assert "1 with the label 'mimic' left out" in said
    assert "1 in bids_dir without a row in the participants table: sub-99" in said
    assert "distortion of the diffusion series is not corrected" in said
    assert "Nothing is wrong with the input." in said


def test_a_modality_that_nobody_has_is_a_problem(study, look):
    _, config = study
    said = look(config | {"dwi": {"pattern": "dwi/*_DWI.nii.gz"}}, refused=True)
    assert "modalities: nobody has dwi: no file matches dwi/*_DWI.nii.gz" in said


def test_an_own_mask_on_another_grid_is_told_at_the_start(study, look):
    """MRtrix3/mrtrix3#1066, FCP-INDI/C-PAC#1087."""
    bids, config = study
    for who in PEOPLE:
        save(bids / who / f"anat/{who}_desc-brain_mask.nii.gz", np.indices((5, 6, 7))[0] > 1)
    said = look(config | {"t1w": {"mask_pattern": "anat/*_desc-brain_mask.nii.gz"}}, refused=True)
    assert "_desc-brain_mask.nii.gz (shape (5, 6, 7)) is not on the grid of" in said


# ---------------------------------------------------------------- gradient tables


@pytest.mark.parametrize("mark", ["commas", "BOM"])
def test_a_bval_with_commas_or_a_byte_order_mark_is_read(study, look, mark):
    """dipy/dipy#1417."""
    bids, config = study
    path = bids / "sub-02/dwi/sub-02_dwi.bval"
    text = path.read_text()
    path.write_bytes(b"\xef\xbb\xbf" + text.encode() if mark == "BOM" else ",".join(text.split()).encode())
    assert "dwi: 6 of 6" in look(config)


def test_volumes_with_a_b_value_and_no_direction_are_told_by_their_brightness(study, look):
    """MRtrix3/mrtrix3#2231, rordenlab/dcm2niix#777, #356."""
    bids, config = study
    b, vectors = table(bids, "sub-02")
    write_series(bids, "sub-02", series(bids, "sub-02").get_fdata(), np.full(b.size, 1000), vectors)
    data = series(bids, "sub-03").get_fdata()
    with_trace = np.concatenate([data, data[..., -1:]], axis=-1)
    write_series(bids, "sub-03", with_trace, [*b, 1000], np.c_[vectors, np.zeros(3)])
    said = look(config, refused=True)
    assert "volume 0 is brighter than all others, so b=0 (GE writes the nominal b-value): write 0" in said
    assert f"volume {b.size} is no brighter than volumes with a direction, so a trace or mean image" in said


def test_a_lowest_shell_of_60_serves_as_b0(study, look):
    """daducci/AMICO#178."""
    bids, config = study
    for who in PEOPLE:
        b, vectors = table(bids, who)
        write_series(bids, who, series(bids, who).get_fdata(), [60, *b[1:]], np.c_[[1.0, 0, 0], vectors[:, 1:]])
    assert "dwi: 6 of 6" in look(config)


@pytest.mark.parametrize("last", ["adc", "trace"])
def test_a_map_of_the_scanner_within_the_series_is_told(study, look, last):
    """rordenlab/dcm2niix#201, MRtrix3/mrtrix3#2172."""
    bids, config = study
    data, (b, vectors) = series(bids, "sub-02").get_fdata(), table(bids, "sub-02")
    more = 8 * data[..., :1] if last == "adc" else data[..., 1:].mean(axis=-1, keepdims=True)
    write_series(bids, "sub-02", np.concatenate([data, data[..., :1], more], axis=-1), [*b, 0, 0], np.c_[
        vectors, np.zeros((3, 2))
    ])  # fmt: skip
    said = look(config, refused=True)
    assert "sub-02_dwi.bval does not fit sub-02_dwi.nii.gz: of the volumes that the table has as b=0" in said
    assert f"volume {b.size + 1} is" in said and "take maps that the scanner has added" in said


@pytest.mark.parametrize("order", ["sorted", "rolled"])
def test_a_table_in_another_order_than_the_volumes_is_told(study, look, order):
    """rordenlab/dcm2niix#201."""
    bids, config = study
    b = np.full(20, 1000.0)
    b[[0, 10]] = 0
    vectors = np.zeros((3, 20))
    vectors[:, b > 0] = directions(18)
    data = np.random.default_rng(1).uniform(600, 1000, (6, 7, 8, 20)) * np.exp(-b / 1000)
    data = data[..., np.argsort(b, kind="stable")] if order == "sorted" else np.roll(data, 1, axis=-1)
    write_series(bids, "sub-02", data, b, vectors)
    said = look(config, refused=True)
    assert "weighted in the table, and as bright as b=0 (volumes counted from 0); the table is in another order" in said


# ---------------------------------------------------------------- values


@pytest.mark.parametrize(("value", "unit"), [(30000, "gauss"), (3000, "mT")])
def test_a_field_strength_that_is_not_in_tesla_is_told(study, look, value, unit):
    """rordenlab/dcm2niix#516."""
    bids, config = study
    for path in bids.rglob("*MEGRE.json"):
        sidecar(path, **json.loads(path.read_text()) | {"MagneticFieldStrength": value})
    assert f"MagneticFieldStrength in its sidecar is {value}" in (said := look(config, refused=True))
    assert f"so write 3 (if it is in {unit})" in said


def test_a_susceptibility_map_in_ppb_is_told_at_the_start(study, look):
    """QSMxT/QSMxT#115."""
    bids, config = study
    for who in PEOPLE:
        for path in (bids / who / "anat").glob("*MEGRE*"):
            path.unlink()
        save(bids / who / f"anat/{who}_Chimap.nii.gz", np.random.default_rng(3).normal(0, 60, (8, 9, 10)))
    assert "if it is in ppb, divide it by 1000" in look(config, refused=True)


def test_a_susceptibility_map_in_ppm_is_taken_however_its_numbers_are_stored(study, look):
    bids, config = study
    for who in PEOPLE:
        for path in (bids / who / "anat").glob("*MEGRE*"):
            path.unlink()
        values = np.random.default_rng(3).normal(0, 0.05, (8, 9, 10))
        image = nb.Nifti1Image(np.rint(values / 0.001).astype(np.int16), np.diag([1.0, 1, 2, 1]))
        image.header.set_slope_inter(0.001, 0)
        nb.save(image, bids / who / f"anat/{who}_Chimap.nii.gz")
    assert "a susceptibility map alone: sub-01" in look(config)


def test_an_image_with_a_sign_is_none_that_was_wrapped(study, look):
    """MP2RAGE's uniform image runs from -0.5 to 0.5."""
    bids, config = study
    x = np.moveaxis(np.indices((20, 20, 20)), 0, -1) - 9.5
    radius = np.sqrt((x**2).sum(axis=-1))
    signed = np.select([radius < 3, radius < 8], [-0.4, 0.45], -0.5)
    save(bids / "sub-02/anat/sub-02_T1w.nii.gz", signed)
    assert "t1w: 6 of 6" in look(config)


@pytest.mark.parametrize("name", ["anat/sub-02_T1w", "anat/sub-02_FLAIR", "dwi/sub-02_dwi", "anat/sub-02_swi"])
def test_values_that_were_wrapped_to_negative_ones_are_told(study, look, name):
    """rordenlab/dcm2niix#215, #338."""
    bids, config = study
    path = bids / "sub-02" / f"{name}.nii.gz"
    b = table(bids, "sub-02")[0] if "dwi" in name else np.zeros(1)
    x = np.moveaxis(np.indices((20, 20, 20)), 0, -1) - 9.5
    head = np.sqrt((x**2).sum(axis=-1)) < 8
    bright = 30000 * head + 4000 * np.exp(-((x - [0, 5, 0]) ** 2).sum(axis=-1) / 8) * head
    data = np.squeeze(bright[..., None] * np.exp(-b / 1000))
    wrapped = np.where(data > 32767, data - 65536, data)
    assert 0 < (wrapped < 0).mean() < 0.02
    save(path, wrapped)
    config["modalities"] = ["t1w", "dwi", "swi", "flair"]
    said = look(config, refused=True)
    assert f"{path.name}: " in said and "voxels inside bright tissue are negative (down to -3" in said


def test_negative_values_of_interpolation_are_none_that_were_wrapped(study, look):
    bids, config = study
    x = np.moveaxis(np.indices((20, 20, 20)), 0, -1) - 9.5
    head = 1000.0 * (np.sqrt((x**2).sum(axis=-1)) < 8)
    spectrum = np.fft.fftshift(np.fft.fftn(head))
    spectrum[np.abs(x).max(axis=-1) > 6] = 0
    ringing = np.fft.ifftn(np.fft.ifftshift(spectrum)).real
    assert ringing.min() < -0.1 * np.percentile(ringing, 99)
    save(bids / "sub-02/anat/sub-02_T1w.nii.gz", ringing)
    assert "t1w: 6 of 6" in look(config)


# ---------------------------------------------------------------- participants


def test_one_category_in_several_spellings_is_told(study, look):
    """bids-standard/bids-specification#458."""
    bids, config = study
    table_of(bids, rows(sex=["M", "m", "male", "Male", "F", "female "]))
    said = look(config, refused=True)
    assert "column 'sex' has 'M' (1), 'm' (1), 'male' (1), 'Male' (1), which are one category" in said
    assert "'F' (1), 'female ' (1), which are one category" in said


@pytest.mark.parametrize("word", ["N/A", "NA", "#N/A", "unknown"])
def test_a_word_for_missing_is_no_category(study, look, word):
    """spine-generic/data-multi-subject#86."""
    bids, config = study
    table_of(bids, rows(sex=["M", "F", word, "M", "F", "F"]))
    assert f"row 4 (sub-03), column 'sex': found '{word}'; a missing value is written n/a" in look(config, refused=True)


def test_a_number_that_stands_for_missing_is_told(study, look):
    bids, config = study
    scores = [40, 35, -999, 44, 38, 41]
    table_of(bids, [f"{row}\t{score}" for row, score in zip(rows(), scores, strict=True)],
             header="participant_id\tgroup\tage\tsex\talsfrs_r")  # fmt: skip
    said = look(config | {"clinical_scores": ["alsfrs_r"]}, refused=True)
    assert "row 4 (sub-03), column 'alsfrs_r': found -999, far from the others (35 to 44)" in said


def test_tabs_at_the_ends_of_rows_shift_nothing(study, look):
    """pandas-dev/pandas#14124."""
    bids, config = study
    table_of(bids, [f"{row}\t" for row in rows()])
    assert "Participants: 2 ALS, 2 PLS, 2 control" in look(config)


def test_a_quotation_mark_swallows_no_row(study, look):
    """pandas-dev/pandas#22661, #39857."""
    bids, config = study
    said = {1: '"worse on the left', 4: '"no comment'}
    table_of(bids, [f"{row}\t{said.get(n, 'x')}" for n, row in enumerate(rows())],
             header="participant_id\tgroup\tage\tsex\tcomment")  # fmt: skip
    assert "Participants: 2 ALS, 2 PLS, 2 control" in look(config)


def test_quotation_marks_round_cells_are_the_writers(study, look):
    """As R's write.table and spreadsheets have them."""
    bids, config = study
    quoted = ["\t".join(f'"{cell}"' for cell in row.split("\t")) + '\t"weak, ""left"""' for row in rows()]
    table_of(bids, quoted, header='"participant_id"\t"group"\t"age"\t"sex"\t"comment"')
    assert "Participants: 2 ALS, 2 PLS, 2 control" in look(config)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("\t", ","), "its columns are separated by commas, expected tabs"),
        (lambda text: text.replace("\t", ";"), "its columns are separated by semicolons, expected tabs"),
        (lambda text: text.replace("\tsex", "\tage"), "has 2 columns 'age'; keep one"),
        (lambda text: text.replace("\tF\n", "\tF\tx\n", 1), "row 2 has 5 cells, the header 4"),
        (lambda text: "", "it is empty"),
    ],
)
def test_a_table_that_is_none_is_told_in_a_sentence(study, look, change, said):
    bids, config = study
    path = bids / "participants.tsv"
    table_of(bids, rows())
    path.write_text(change(path.read_text()))
    assert said in look(config, refused=True)


# ---------------------------------------------------------------- damage


def header_of(shape, path: Path) -> bytes:
    image = nb.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.eye(4))
    image.header["dim"][1:4] = shape
    return image.header.binaryblock + bytes(4) + bytes(64)


@pytest.mark.parametrize(
    ("shape", "said"), [((32767,) * 3, "more than the file can hold"), ((1500,) * 3, "more than the file can hold"),
                        ((0, 8, 8), "which has no voxel")],
)  # fmt: skip
@pytest.mark.parametrize("name", ["anat/sub-02_T1w.nii.gz", "dwi/sub-02_dwi.nii.gz"])
def test_a_hostile_header_costs_its_participant_alone(study, look, shape, said, name):
    bids, config = study
    path = bids / "sub-02" / name
    path.write_bytes(gzip.compress(header_of(shape, path)))
    text = look(config | {"bad_input": "leave_out"})
    modality = "t1w" if "T1w" in name else "dwi"
    assert f"{modality}: 5 of 6; without: sub-02 ({path.name}" in text and said in text


@pytest.mark.parametrize("content", ["[" * 100_000, '{"EchoTime": ' + "9" * 5000 + "}", "\xff\xfe", '{"a": NaN', "[]"])
def test_a_hostile_sidecar_costs_its_participant_alone(study, look, content):
    bids, config = study
    (bids / "sub-02/anat/sub-02_echo-1_part-phase_MEGRE.json").write_bytes(content.encode("latin-1"))
    text = look(config | {"bad_input": "leave_out"})
    assert "swi: 5 of 6; without: sub-02 (" in text
