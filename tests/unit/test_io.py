"""Tables, images and transforms come back as they were written, or not at all."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mndmri import io
from mndmri.io import InputError


def test_missing_values_are_written_as_bids_wants_and_read_back(tmp_path):
    table = pd.DataFrame({"participant_id": ["001", "002"], "value": [1.23456789, np.nan], "note": [None, "a\tb"]})
    io.write_table(table, tmp_path / "t.tsv")
    assert (tmp_path / "t.tsv").read_text() == "participant_id\tvalue\tnote\n001\t1.23457\tn/a\n002\tn/a\ta b\n"
    back = io.read_table(tmp_path / "t.tsv")
    assert list(back["participant_id"]) == ["001", "002"]
    assert back["value"].isna().tolist() == [False, True]


def test_a_participants_table_is_known_by_the_name_of_its_file(tmp_path):
    for who in ("sub-01", "sub-02"):
        io.write_table(pd.DataFrame({"value": [who[-1]]}), tmp_path / f"{who}_desc-cst_profile.tsv")
    tables = io.read_own_tables(sorted(tmp_path.iterdir()))
    assert {who: table["value"].item() for who, table in tables.items()} == {"sub-01": 1, "sub-02": 2}


def test_files_are_joined_by_participant_whatever_their_order():
    fields = io.by_participant(["a/sub-02_xfm.nii.gz", "a/sub-01_xfm.nii.gz"])
    brains = io.by_participant(["b/sub-01_desc-brain_T1w.nii.gz", "c/sub-02_desc-brain_T1w.nii.gz"])
    assert {who: (brains[who][0], fields[who][7]) for who in brains} == {"sub-01": ("b", "1"), "sub-02": ("c", "2")}


def test_two_files_of_one_participant_are_refused():
    with pytest.raises(InputError, match=r"sub-01_b\.tsv and .*sub-01_a\.tsv are both of sub-01"):
        io.by_participant(["sub-01_a.tsv", "sub-01_b.tsv"])


def test_an_input_that_is_absent_is_no_image_and_two_are_refused(tmp_path):
    path = str(tmp_path / "one.nii")
    io.save_image(nb.Nifti1Image(np.ones((2, 3, 4), np.float32), np.eye(4)), path)
    assert io.load_optional([]) is None
    assert io.load_optional(path).shape == io.load_optional([path]).shape == (2, 3, 4)
    with pytest.raises(InputError, match="one image is expected"):
        io.load_optional([path, path])


def test_parts_of_a_thing_are_told_by_the_names_of_its_inputs(tmp_path):
    for value, name in enumerate(("brain", "tissue", "other")):
        io.save_image(nb.Nifti1Image(np.full((2, 2, 2), value, np.float32), np.eye(4)), tmp_path / f"{name}.nii")
    files = {
        "target_tissue": [str(tmp_path / "tissue.nii")],
        "person_brain": str(tmp_path / "other.nii"),
        "target_brain": str(tmp_path / "brain.nii"),
        "target_compared": [],
    }
    found = io.load_parts(files, "target")
    assert {part: image.get_fdata().max() for part, image in found.items()} == {"brain": 0, "tissue": 1}


def test_columns_of_text_stay_as_they_are_written(tmp_path):
    (tmp_path / "table.tsv").write_text("site\tn\n01\t01\nn/a\t2\n")
    table = io.read_table(tmp_path / "table.tsv", text=["site", "absent"])
    assert table["site"].iloc[0] == "01"
    assert table["site"].isna().tolist() == [False, True]
    assert table["n"].tolist() == [1, 2]


@pytest.mark.parametrize("text", ["", b"\xff\xfe\x00bad"])
def test_what_is_no_table_is_refused_by_name(tmp_path, text):
    path = tmp_path / "bad.tsv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(InputError, match=r"bad\.tsv"):
        io.read_table(path)


def test_a_write_that_fails_leaves_nothing_behind_and_the_old_file_whole(tmp_path):
    path = tmp_path / "a.json"
    io.write_json({"kept": 1}, path)
    with pytest.raises(TypeError):
        io.write_json({"bad": object()}, path)
    assert io.read_json(path) == {"kept": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_probabilities_survive_a_byte_on_disk(tmp_path):
    data = np.linspace(0, 1, 7 * 8 * 9).reshape(7, 8, 9)
    io.save_image(nb.Nifti1Image(data, np.diag([2, 2.5, 3, 1])), tmp_path / "p.nii.gz", dtype=np.uint8, scale=0.01)
    back = io.load_image(tmp_path / "p.nii.gz")
    assert back.get_data_dtype() == np.uint8
    np.testing.assert_allclose(back.get_fdata(), data, atol=0.0051)


@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
@pytest.mark.parametrize(("dtype", "scale"), [(np.float32, 1.0), (np.int16, 1.0), (np.uint8, 0.01)])
def test_volumes_come_back_in_their_order_and_left_stays_left(tmp_path, dtype, scale, suffix):
    """Stored right to left or left to right: no two values are alike, nor is any axis as long as another."""
    steps = np.random.default_rng(0).permutation(3 * 4 * 5 * 2).reshape(3, 4, 5, 2)
    for way in (1, -1):
        image = nb.Nifti1Image((steps * scale).astype(np.float32), np.diag([2 * way, 2.5, 3, 1]))
        path = tmp_path / f"{way}.{suffix}"
        io.save_image(image, path, dtype=dtype, scale=scale)
        found = nb.load(path)
        np.testing.assert_allclose(found.get_fdata(), steps * scale, atol=1e-5)
        np.testing.assert_array_equal(found.affine, image.affine)
        assert nb.aff2axcodes(found.affine)[0] == ("R" if way > 0 else "L")


def test_an_image_keeps_its_oblique_affine_and_says_which_space_it_is_in(tmp_path):
    affine = np.array([[1.9, 0.3, 0.1, -40], [-0.3, 2.4, 0.2, 5], [-0.1, -0.2, 3.0, 7], [0, 0, 0, 1]])
    affine[:3, :3] = np.linalg.qr(affine[:3, :3])[0] @ np.diag([2, 2.5, 3])
    for name, code in (("sub-1_T1w.nii.gz", 1), ("sub-1_space-MNI152NLin6Asym_T1w.nii.gz", 4)):
        io.save_image(nb.Nifti1Image(np.ones((7, 8, 9), np.float32), affine), tmp_path / name)
        header = nb.load(tmp_path / name).header
        np.testing.assert_allclose(header.get_sform(), affine, atol=1e-5)
        np.testing.assert_allclose(header.get_qform(), affine, atol=1e-4)
        assert header["sform_code"] == code


def test_matrices_come_back_to_the_last_bit(tmp_path):
    one, several = np.random.default_rng(1).standard_normal((4, 4)), np.random.default_rng(2).standard_normal((3, 4, 4))
    io.save_matrix(one, tmp_path / "one.txt")
    io.save_matrix(several, tmp_path / "several.txt")
    assert np.array_equal(io.load_matrix(tmp_path / "one.txt"), one)
    assert np.array_equal(io.load_matrix(tmp_path / "several.txt"), several)


def test_a_truncated_image_is_refused_by_name(tmp_path):
    path = tmp_path / "sub-07_T1w.nii.gz"
    path.write_bytes(b"\x1f\x8b\x08 not gzip")
    with pytest.raises(InputError, match="sub-07_T1w"):
        io.load_image(path)


@pytest.mark.parametrize("cell", ['say "hi"', '"quoted"', '"open', "tab\there", "it's", 'a "b', '""'])
def test_a_cell_with_quotation_marks_is_read_as_it_was_written(tmp_path, cell):
    path = tmp_path / "table.tsv"
    table = pd.DataFrame({"participant_id": ["sub-01", "sub-02"], "note": [cell, "x"], "value": [1.5, 2.0]})
    io.write_table(table, path)
    found = io.read_table(path)
    assert found["note"].tolist() == [" ".join(cell.split()), "x"]
    assert found["value"].tolist() == [1.5, 2.0]


def test_a_tab_inside_quotation_marks_ends_no_cell(tmp_path):
    """BIDS: a cell with a tab is quoted."""
    path = tmp_path / "table.tsv"
    path.write_text('participant_id\tnote\tvalue\nsub-01\t"left\tright"\t1.5\n')
    assert io.read_table(path).loc[0].tolist() == ["sub-01", "left right", 1.5]
