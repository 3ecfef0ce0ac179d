"""Heads whose sides differ, as scenes of a viewer: the truth of what must be seen where."""

from functools import cache
from typing import Any

import nibabel as nb
import numpy as np
import pandas as pd

from mndmri.figures.scenes import STATISTIC_STEP, Scene, dwi_scene, map_ground, map_scene, swi_scene, t1w_scene
from mndmri.report.viewer import viewer_page

SHAPE, ZOOMS = (35, 41, 29), (4.0, 4.5, 5.0)
# mm: a bright block in the front of the participant's left, and a region at the back of the right
LEFT_FRONT, RIGHT_BACK = (-30.0, 42.0, 30.0), (34.0, -42.0, 20.0)
RIGHT_PEAK, LEFT_LOSS = (36.0, -20.0, 24.0), (-36.0, -20.0, 24.0)
TRACKED = np.array([[-30.0, 0.0, z] for z in np.arange(-20, 21, 2.0)])
LOSS, GAIN, FIRST = -7.31, 3.5, 12.34


def _affine(shape, zooms, degrees):
    turn = np.deg2rad(degrees)
    affine = np.eye(4)
    affine[:3, :3] = [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]] @ np.diag(zooms)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine


def stored(function, storage="RAS", degrees=0.0, *, shape=SHAPE, zooms=ZOOMS):
    """Image of a function of the world's mm, in an order of storage."""
    affine = _affine(shape, zooms, degrees)
    values = function(nb.affines.apply_affine(affine, np.moveaxis(np.indices(shape), 0, -1)))
    order = nb.orientations.ornt_transform(*map(nb.orientations.axcodes2ornt, ("RAS", storage)))
    return nb.Nifti1Image(np.asarray(values, np.float32), affine).as_reoriented(order)


def ball(centre, mm=9.0):
    return lambda xyz: np.linalg.norm(xyz - centre, axis=-1) < mm


def egg(xyz):
    return np.linalg.norm(xyz / [60, 78, 62], axis=-1) < 1


def head(xyz):
    return np.where(ball(LEFT_FRONT, 14.0)(xyz), 250.0, 100.0 * egg(xyz))


def regions(names, storage="RAS", degrees=0.0):
    """Masks of both sides, each a ball at a place of its own, and their table."""
    table = pd.DataFrame([(name, hemi) for name in names for hemi in "LR"], columns=["region", "hemi"])
    table.insert(0, "index", range(len(table)))
    places = [
        ((-30.0 if row.hemi == "L" else 26.0), -30.0 + 12 * (row.index // 2), 10.0 + 4 * (row.index // 2))
        for row in table.itertuples(index=False, name="Row")
    ]
    table.insert(3, "coverage", 1.0)

    def masks(xyz):
        return np.stack([ball(place)(xyz) for place in places], axis=-1)

    return stored(masks, storage, degrees), table


def t1w(storage="RAS", degrees=0.0, **options) -> Scene:
    """Head with a bright block in the left front; grey matter is a ball in the right back."""
    images = [stored(own, storage, degrees, **options) for own in (head, egg, ball(RIGHT_BACK), ball((0, 0, 0), 30))]
    masks, table = regions(["precentral"], storage, degrees)
    if options:
        masks = stored(lambda xyz: np.stack([egg(xyz)] * 2, axis=-1), storage, degrees, **options)
    return t1w_scene(*images, masks, table, file="sub-01_T1w.nii.gz")


def dwi(storage="RAS") -> Scene:
    """FA with fibres that run upwards, and a streamline through each of two voxels on the left."""
    fa = stored(lambda xyz: 0.8 * egg(xyz), storage)
    up = stored(lambda xyz: np.broadcast_to([0, 0, 1], xyz.shape), storage)
    names = ["cst", "cst_plic"]
    return dwi_scene(fa, up, *regions(names, storage), {"left": [TRACKED] * 3, "right": []}, file="sub-01_fa.nii.gz")


def swi() -> Scene:
    """SWI and susceptibility, with all regions."""
    banks = ["precentral_posterior_deep", "precentral_posterior", "precentral_anterior", "postcentral"]
    images = {"SWI": stored(lambda xyz: 1.0 * egg(xyz)), "QSM": stored(lambda xyz: 0.02 * egg(xyz))}
    return swi_scene(images, *regions([*banks, "precentral_hand"]), None, file="sub-01_swi.nii.gz")


@cache
def group_map(storage="RAS", *, contrast="ALS-control", name="t", peak=None) -> Scene:
    """Loss on the left that survives the correction, and a gain on the right that does not; voxels of 4 mm."""
    shape, zooms = (39, 47, 39), (4.0, 4.0, 4.0)
    statistic = stored(
        lambda xyz: LOSS * ball(LEFT_LOSS)(xyz) + GAIN * ball(RIGHT_PEAK)(xyz), storage, shape=shape, zooms=zooms
    )
    log_p = stored(lambda xyz: 2.0 * ball(LEFT_LOSS)(xyz), storage, shape=shape, zooms=zooms)
    template = stored(lambda xyz: 100.0 * egg(xyz), shape=(90, 110, 90), zooms=(1.7, 1.7, 1.7))
    return map_scene(
        statistic, log_p, map_ground(template, statistic), contrast=contrast, name=name, alpha=0.05,
        two_sided=name != "F", peak=peak, space="MNI", file="stat-t_statmap.nii.gz",
    )  # fmt: skip


def page(*scenes: Scene, title: str = "sub-01", **words: Any) -> str:
    """Page of a viewer."""
    words = {"page": "sub-01.html", "page_title": "Pictures and measures"} | words
    return viewer_page(title, [scene._asdict() for scene in scenes], step=STATISTIC_STEP, **words)
