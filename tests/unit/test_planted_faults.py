"""Faults that are planted into scans and steps: each is flagged, on the index and on the person's page."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mndmri.anatomy.quality import measure_quality
from mndmri.diffusion.motion import framewise_displacement
from mndmri.diffusion.tract import tract_coverage
from mndmri.grids import make_image, world_coordinates
from mndmri.registration.transforms import compose
from mndmri.tables.coverage import measure_coverage
from mndmri.tables.measures import row
from mndmri.tables.qc import qc_table
from tests.unit.anatomy.test_signal import Brain
from tests.unit.diffusion import test_tract
from tests.unit.maps import test_sides
from tests.unit.report import test_cohort, test_pages
from tests.unit.tables.test_qc import LIMITS

GRID = nb.Nifti1Image(
    np.zeros((49, 49, 49), np.float32), np.array([[4.0, 0, 0, -96], [0, 4.0, 0, -96], [0, 0, 4.0, -96], [0, 0, 0, 1]])
)


def ball(mm):
    return (np.linalg.norm(world_coordinates(GRID), axis=-1) < mm).astype(np.float32)


def of_t1w(*, brain_mm=68.0, shift_mm=0.0):
    """Brain of 1.3 litres with a grey shell, its mask, and where the registration takes it."""
    grey, white = ball(68) - ball(56), ball(56)
    shift = np.eye(4)
    shift[1, 3] = shift_mm
    template = make_image(np.stack([grey, white, 0 * white], axis=-1), GRID)
    tissue = {"GM": make_image(grey, GRID), "WM": make_image(white, GRID)}
    return measure_quality(make_image(ball(brain_mm), GRID), tissue, template, compose([shift], GRID))


def of_motion(*, step_mm=0.2):
    """Head that goes to and fro by a distance between volumes."""
    moved = np.tile(np.eye(4), (17, 1, 1))
    moved[1::2, 1, 3] = step_mm
    mean = framewise_displacement(moved, centre=np.zeros(3)).mean()
    return pd.DataFrame([row("dwi", "mean_fd", "brain", "both", mean, unit="mm", n_voxels=1000)])


def of_coverage(*, lowest_mm=-99.0):
    """Tract of which a series shows what lies above a height."""
    own = test_tract.atlas()
    shown = make_image((world_coordinates(test_tract.GRID)[..., 2] >= lowest_mm).astype(np.float32), test_tract.GRID)
    return tract_coverage(measure_coverage(own, test_tract.TABLE, shown), own, test_tract.TABLE)


def of_sides(*, mirrored=False):
    """Gradient echo of a head, and its T1w image."""
    head = Brain()
    own = test_sides.found(head, test_sides.scanned(head, np.eye(4), mirrored=mirrored), np.eye(4))
    return own.to_frame().T.astype({"value": float})


FAULTS = {
    "mask with scalp": (of_t1w, {"brain_mm": 80.0}, "brain_volume"),
    "mask of half a brain": (of_t1w, {"brain_mm": 56.0}, "brain_volume"),
    "failed registration": (of_t1w, {"shift_mm": 15.0}, "dice_gm"),
    "4 mm of motion": (of_motion, {"step_mm": 4.0}, "mean_fd"),
    "missing coverage": (of_coverage, {"lowest_mm": -3.0}, "coverage"),
    "exchanged sides": (of_sides, {"mirrored": True}, "mirror_fit"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_flagged_on_the_index_and_on_the_page_and_its_absence_is_not(fault):
    made, options, measure = FAULTS[fault]
    good, bad = (
        qc_table(made(**own).assign(participant_id=who), LIMITS) for own, who in (({}, "sub-03"), (options, "sub-01"))
    )
    assert not good["flag"].eq("yes").any()
    assert set(bad.loc[bad["flag"] == "yes", "measure"]) == {measure}
    index = test_cohort.index(qc=pd.concat([good, bad]))
    reason = bad.loc[bad["flag"] == "yes", "reason"].iloc[0]
    assert index.count(reason) >= 1
    page = test_pages._participant(qc=bad)
    assert reason in page.split("</main>")[0] and page.index(reason) < page.index("<details")
