"""The picture of the cord: each plane with its own outline, area and side."""

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mndmri.anatomy.cord import PROFILE_COLUMNS
from mndmri.figures.cord import SHOWN_MM, cord_sheet

N = 41  # planes, of which the last ones are not shown


@pytest.fixture(scope="module")
def sheet():
    across = np.arange(-18.0, 18.01, 0.5)
    x, y = np.meshgrid(across, across, indexing="ij")
    below = np.arange(N)
    inside = np.stack([(np.hypot(x - 3, y) < 4 + b / 20).astype(float) for b in below], axis=-1)
    affine = np.diag([0.5, 0.5, 1.0, 1.0])
    affine[:3, 3] = -18, -18, -(N - 1)
    planes = nb.Nifti1Image((50 + 50 * inside[..., ::-1]).astype(np.float32), affine)
    profile = pd.DataFrame(0.0, index=below, columns=PROFILE_COLUMNS)
    profile = profile.assign(below_mm=below, z=-below.astype(float), csa=np.pi * (4 + below / 20) ** 2, status="ok")
    profile.loc[30, "status"] = "the outline leaks"
    profile.loc[38:, "csa"] = np.nan
    head = nb.Nifti1Image(np.random.default_rng(1).random((40, 50, 60)).astype(np.float32), np.eye(4))
    head.affine[:3, 3] = -20, -25, -50
    mask = nb.Nifti1Image(inside[..., ::-1].astype(np.float32), affine)
    return cord_sheet(head, planes, mask, profile, title="sub-07")


def test_every_plane_has_its_area_or_why_it_does_not_count(sheet):
    titles = [axes.get_title() for axes in sheet.axes[1:]]
    area = {b: round(np.pi * (4 + b / 20) ** 2) for b in SHOWN_MM}
    assert titles[:2] == [f"{b} mm: {area[b]} mm²" for b in SHOWN_MM[:2]]
    assert titles[2] == f"30 mm: {area[30]} mm², not counted"
    assert titles[-2:] == ["43 mm: not shown", "50 mm: not shown"]


def test_the_outline_lies_on_its_own_plane_on_the_persons_side(sheet):
    for axes, below in zip(sheet.axes[1:4], SHOWN_MM, strict=False):
        line = axes.collections[0].get_paths()[0].vertices
        width = np.ptp(line[:, 0])
        assert width == pytest.approx(2 * (4 + below / 20), abs=0.6)
        assert line[:, 0].mean() > np.mean(axes.get_xlim())  # 3 mm to the right
        assert {text.get_text() for text in axes.texts} == {"L", "R"}
