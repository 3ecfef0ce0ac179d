import dataclasses

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mndmri.cohort import Scan, Study
from mndmri.cohort.costs import expected, memory_mb


def scan(folder, modality, *shapes):
    """A scan of images that are headers alone."""
    paths = []
    for number, shape in enumerate(shapes):
        path = folder / f"{modality}_{number}.nii"
        header = nb.Nifti1Header()
        header.set_data_shape(shape)
        path.write_bytes(header.binaryblock + bytes(4))
        paths.append(str(path))
    return Scan(modality, {"magnitude" if modality == "swi" else "image": tuple(paths)})


@pytest.mark.parametrize(
    ("shape", "measured_mb"), [((96, 128, 128), 1752), ((170, 256, 256), 2677), ((170, 512, 512), 5100)]
)
def test_memory_grows_with_the_t1w_and_is_what_was_measured(tmp_path, shape, measured_mb):
    asked = memory_mb({"t1w": scan(tmp_path, "t1w", shape)}, ["t1w", "flair"])
    assert measured_mb < asked < 2 * measured_mb


def test_memory_of_a_series_counts_all_volumes_and_of_echoes_the_largest(tmp_path):
    dwi = {"dwi": scan(tmp_path, "dwi", (128, 128, 82, 17))}
    assert 2235 < memory_mb(dwi, ["dwi"]) < 2 * 2235
    echo = (320, 384, 104)
    one, five = ({"swi": scan(tmp_path, "swi", *[echo] * n)} for n in (1, 5))
    assert 2700 < memory_mb(one, ["swi"]) == memory_mb(five, ["swi"])


def test_a_scan_that_is_yet_to_be_made_takes_what_any_job_does():
    assert memory_mb({"t1w": Scan("t1w", {"image": ("nowhere.nii.gz",)})}, ["t1w"]) == memory_mb({}, ["t1w"])


def test_hours_and_disk_are_sums_over_people(tmp_path):
    own = {"t1w": scan(tmp_path, "t1w", (170, 256, 256)), "dwi": scan(tmp_path, "dwi", (128, 128, 82, 17))}
    one, two = (Study(pd.DataFrame(), {str(n): own for n in range(count)}, {}, "") for count in (1, 2))
    np.testing.assert_allclose(expected(two), 2 * np.array(expected(one)))
    minutes, gigabytes = expected(one)
    assert 3 < minutes < 12 and 0.2 < gigabytes < 0.5  # 7 minutes and 0.28 GB in sub-philips01


def test_a_declared_map_takes_time_and_what_is_made_of_another_scan_takes_none(tmp_path):
    swi = scan(tmp_path, "swi", (320, 384, 104))
    mtr = dataclasses.replace(scan(tmp_path, "mtr", (128, 128, 60)), declared={"quantity": "value"})
    parts = [{"swi": swi}, {"swi": swi, "qsm": dataclasses.replace(swi, modality="qsm")}, {"swi": swi, "mtr": mtr}]
    alone, with_qsm, with_map = (expected(Study(pd.DataFrame(), {"sub-01": own}, {}, "")) for own in parts)
    assert alone == with_qsm
    assert with_map[0] > alone[0] and with_map[1] > alone[1]
