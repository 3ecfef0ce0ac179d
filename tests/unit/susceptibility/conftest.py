"""A slab of two hemispheres, each with four straight gyri, whose banks and depths are known by construction."""

from types import SimpleNamespace

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mndmri.grids import make_image, world_coordinates

# Along y (mm, forwards): each gyrus a plate of white matter 4 mm thick in 2.5 mm of grey, sulci 2 mm wide. The plate
# in front is the superior frontal gyrus, and laterally the middle frontal; the one behind is not in the atlas.
PITCH = 11.0
GYRI = {"parietal": -2 * PITCH, "postcentral": -PITCH, "precentral": 0.0, "frontal": PITCH}
MIDDLE_FRONTAL_X = 14.0
TOP, BASE = 66.0, 52.0  # crown of the white matter, and where it joins the common white matter below


def _tissue(xyz):
    """Grey, white and CSF (True/False) by position."""
    x, y, z = np.moveaxis(xyz, -1, 0)
    across = np.min([np.abs(y - centre) for centre in GYRI.values()], axis=0)
    brain = (np.abs(x) > 1.5) & (y > -2.5 * PITCH + 1.0) & (y < 1.5 * PITCH - 1.0)
    stalk = ((across < 2.0) & (z < TOP)) | (z < BASE)
    depth = np.maximum(across - 2.0, z - TOP)  # into grey, from the stalk's flank or its top
    grey = ~stalk & ((depth < 2.5) | (z < BASE + 2.5))
    return brain & grey, brain & stalk, ~(brain & (grey | stalk))


def build_slab(zooms=(1.0, 0.75, 1.2), *, atlas_shift=0.0, oblique=False, partial_volume=False):
    """Slab on a grid of these voxel sizes; ``atlas_shift`` mm moves the atlas forwards against the tissue.

    With ``partial_volume`` a voxel's tissues are the shares of it that they fill.
    """
    size = np.array([56.0, 47.0, 32.0])
    affine = np.diag([*zooms, 1.0])
    affine[:3, 3] = [-28.0 + zooms[0] / 2, -29.0 + zooms[1] / 2, 40.0]
    # a rotation of the whole head in the scanner; MNI coordinates turn back with the transform
    rotation = nb.affines.from_matvec(nb.eulerangles.euler2mat(z=0.2, x=0.15), [3.0, -5.0, 8.0])
    turn = rotation if oblique else np.eye(4)
    shape = np.rint(size / zooms).astype(int)
    straight = nb.Nifti1Image(np.zeros(shape, np.uint8), affine)
    mni = world_coordinates(straight)
    grid = nb.Nifti1Image(np.zeros(shape, np.uint8), turn @ affine)

    grey, white, csf = tissues = _tissue(mni)
    if partial_volume:
        steps = np.stack(np.meshgrid(*[np.linspace(-0.4, 0.4, 5)] * 3), axis=-1).reshape(-1, 3) * zooms
        tissues = np.mean([_tissue(mni + step) for step in steps], axis=0)
    x, y, z = (c.copy() for c in np.moveaxis(mni, -1, 0))
    # MNI coordinates are stretched, so that the short gyri run from the leg to the face
    mni[..., 0] *= 2.2
    mni[..., 2] -= np.where(np.abs(mni[..., 0]) > 46, 14.0, 0.0)
    maps, rows = [], []
    lateral = np.abs(x) > MIDDLE_FRONTAL_X
    for region, centre, where in (
        ("postcentral", -PITCH, True),
        ("precentral", 0.0, True),
        ("superior_frontal", PITCH, ~lateral),
        ("middle_frontal", PITCH, lateral),
    ):
        belongs = np.exp(-0.5 * ((y - centre - atlas_shift) / 4.0) ** 2) * (z > BASE - 1) * where
        for hemi, side in (("L", x < 0), ("R", x > 0)):
            maps.append(belongs * side)
            rows.append((len(rows), region, hemi))
    for hemi, sign in (("L", -1), ("R", 1)):
        maps.append((np.abs(x - sign * 14) < 3) * (np.abs(y) < 4) * (z < BASE) * 0.8)
        rows.append((len(rows), "cst", hemi))
    posterior = (y < 0) & (y > -PITCH / 2)
    return SimpleNamespace(
        grid=grid,
        mni=make_image(mni.astype(np.float32), grid),
        grey=grey,
        white=white,
        csf=csf,
        x=x,
        y=y,
        z=z,
        tissues=[make_image(t.astype(np.float32), grid) for t in tissues],
        atlas=make_image(np.stack(maps, axis=-1).astype(np.float32), grid),
        table=pd.DataFrame(rows, columns=["index", "region", "hemi"]),
        posterior_bank=posterior & grey & (z > BASE + 2.5) & (z < TOP),
        anterior_bank=(y > 0) & (y < PITCH / 2) & grey & (z > BASE + 2.5) & (z < TOP),
        # iron reaches 1 mm into what the T1w takes for white matter
        band=posterior & (y > -3.25) & (y < -1.0) & (z > BASE + 2.5) & (z < TOP),
    )


def paint(slab, *, seed=0, noise=0.01):
    """Normalised SWI of a slab without a band: white matter 1, grey 0.9, fluid 1.1."""
    image = slab.white * 1.0 + slab.grey * 0.9 + slab.csf * 1.1
    return image + np.random.default_rng(seed).normal(0, noise, image.shape)


@pytest.fixture(scope="session")
def slab():
    return build_slab()


@pytest.fixture(scope="session", name="build_slab")
def _build_slab():
    return build_slab


@pytest.fixture(scope="session", name="paint")
def _paint():
    return paint
