"""Images that stand under two names."""

import gzip
import os
import shutil

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mndmri.cohort import Scan, Study, check_study, images_of
from mndmri.cohort.copies import content_of, find_copies


def save(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = np.random.default_rng(seed).integers(1, 1000, (7, 8, 9)).astype(np.int16)
    nb.save(nb.Nifti1Image(data, np.diag([2.0, 2, 2, 1])), path)
    return path


def study(**people):
    """A study whose people have T1w images at these paths."""
    scans = {who: {"t1w": Scan("t1w", {"image": (str(path),)})} for who, path in people.items()}
    return Study(pd.DataFrame({"participant_id": list(people)}), scans, {who: {} for who in people}, "")


def copies(of):
    return find_copies(of, images_of(check_study(of, {})[1]))


def test_the_content_of_a_compressed_image_is_that_of_the_image(tmp_path):
    plain, packed = save(tmp_path / "a.nii", 1), save(tmp_path / "b.nii.gz", 1)
    assert content_of(str(plain)) == content_of(str(packed))
    assert content_of(str(plain)) != content_of(str(save(tmp_path / "c.nii", 2)))


def test_a_scan_under_two_ids_is_told_whenever_it_was_compressed(tmp_path):
    first, other = save(tmp_path / "sub-01_T1w.nii.gz", 1), save(tmp_path / "sub-03_T1w.nii.gz", 3)
    again = tmp_path / "sub-02_T1w.nii.gz"
    again.write_bytes(gzip.compress(gzip.decompress(first.read_bytes()), 1, mtime=12345))
    assert again.read_bytes() != first.read_bytes()
    [line] = copies(study(**{"sub-01": first, "sub-02": again, "sub-03": other}))
    assert line.startswith("sub-01, sub-02 have the same image (sub-01_T1w.nii.gz, sub-02_T1w.nii.gz)")


@pytest.mark.parametrize("end", [b"", bytes(100)], ids=["nothing", "background"])
def test_images_compressed_in_pieces_are_no_copies_for_their_equal_ends(tmp_path, end):
    """BGZF ends with an empty piece, and mgzip with one that may be background alone."""
    paths = {}
    for n in (1, 2, 1):
        data = save(tmp_path / "plain.nii", n).read_bytes()
        paths[f"sub-0{len(paths) + 1}"] = own = tmp_path / f"sub-0{len(paths) + 1}_T1w.nii.gz"
        own.write_bytes(gzip.compress(data) + gzip.compress(end))
    [line] = copies(study(**paths))
    assert line.startswith("sub-01, sub-03 have")


@pytest.mark.parametrize("link", [os.symlink, os.link, shutil.copy])
def test_a_link_is_a_copy(tmp_path, link):
    first = save(tmp_path / "sub-01_T1w.nii", 1)
    link(first, tmp_path / "sub-02_T1w.nii")
    assert len(copies(study(**{"sub-01": first, "sub-02": tmp_path / "sub-02_T1w.nii"}))) == 1


def test_different_scans_and_one_file_of_two_modalities_are_no_copies(tmp_path):
    own = study(**{f"sub-0{n}": save(tmp_path / f"sub-0{n}_T1w.nii.gz", n) for n in (1, 2, 3)})
    own.scans["sub-01"]["r2star"] = Scan("t1w", own.scans["sub-01"]["t1w"].files)
    assert copies(own) == []


def test_one_image_twice_in_a_person_is_told(tmp_path):
    magnitude = save(tmp_path / "sub-01_part-mag_MEGRE.nii.gz", 1)
    phase = shutil.copy(magnitude, tmp_path / "sub-01_part-phase_MEGRE.nii.gz")
    own = study(**{"sub-01": save(tmp_path / "sub-01_T1w.nii.gz", 2)})
    contents = {str(path): content_of(str(path)) for path in (magnitude, phase)}
    own.scans["sub-01"]["swi"] = Scan("swi", {"magnitude": (str(magnitude),), "phase": (str(phase),)})
    [line] = find_copies(own, contents)
    assert line.startswith("sub-01: sub-01_part-mag_MEGRE.nii.gz, sub-01_part-phase_MEGRE.nii.gz are the same image")


def test_what_was_looked_at_before_is_known_without_another_look(tmp_path, monkeypatch):
    first = save(tmp_path / "sub-01_T1w.nii.gz", 1)
    own = study(**{"sub-01": first, "sub-02": shutil.copy(first, tmp_path / "sub-02_T1w.nii.gz")})
    _, cache = check_study(own, {})
    monkeypatch.setattr("mndmri.cohort.checks.content_of", None)
    assert len(find_copies(own, images_of(check_study(own, cache)[1]))) == 1


def test_a_cache_of_other_rules_is_not_read():
    """A simulation in the folder of an older study hands its cache on."""
    older = {"version": 7, "scans": {"sub-01 t1w": {"files": [], "problems": []}}}
    assert images_of(older) == images_of({}) == {}
