"""Tractography of the corticospinal tract, a secondary measure; no participant is excluded on its basis.

Disease thins the tract until streamlines are lost, so that their absence is a finding and never a reason to leave
anybody out.
"""

from collections.abc import Mapping

import nibabel as nb
import numpy as np
import pandas as pd
from dipy.core.gradients import gradient_table
from dipy.data import default_sphere
from dipy.io.stateful_tractogram import Space, StatefulTractogram
from dipy.reconst.csdeconv import ConstrainedSphericalDeconvModel, response_from_mask_ssst
from dipy.stats.analysis import afq_profile, gaussian_weights
from dipy.tracking.stopping_criterion import BinaryStoppingCriterion
from dipy.tracking.streamline import Streamlines
from dipy.tracking.tracker import probabilistic_tracking
from dipy.tracking.utils import seeds_from_mask
from nibabel.spatialimages import SpatialImage
from scipy import ndimage

from mndmri.atlas.levels import CST_LEVELS_Z_MM
from mndmri.atlas.regions import select
from mndmri.diffusion.gradients import SHELL_GAP, Gradients, to_fsl
from mndmri.diffusion.profile import N_NODES
from mndmri.diffusion.tract import MEASURES
from mndmri.grids import check_same_grid, voxel_sizes
from mndmri.tables.measures import MEASURE_COLUMNS, OK, row

SEED_REGIONS = ("cst_peduncle", "cst_plic")
TARGET = "precentral"
TRACKING_REGIONS = ("cst", *SEED_REGIONS, TARGET)

SEED_PROBABILITY = 0.25
# Streamlines end where white matter does, a voxel or two below the cortex.
TARGET_PROBABILITY, TARGET_MARGIN_MM = 0.25, 4.0
# Fibres nearer to the midline than this are of the callosum, or cross in the pons.
MIDLINE_MM = 2.0
STEP_MM, MAX_ANGLE_DEG, LENGTH_MM = 1.0, 30.0, (40.0, 200.0)
# Spherical-harmonic order that the number of directions determines: (order + 1)(order + 2) / 2 coefficients
# (Tournier et al. 2007, NeuroImage 35:1459).
_ORDERS = {8: 45, 6: 28, 4: 15}
# The response is that of the voxels with the highest FA in the white matter.
RESPONSE_VOXELS = 300
# Streamlines further from the bundle's core, in SD (Yeatman et al. 2012, PLoS ONE 7:e49790), are not of it.
MAX_DISTANCE_SD = 4.0
FEWEST_STREAMLINES = 10


def track_tract(
    dwi: SpatialImage,
    gradients: Gradients,
    fa: SpatialImage,
    wm_probability: SpatialImage,
    weights: SpatialImage,
    table: pd.DataFrame,
    mni_mm: SpatialImage,
    *,
    coverage: pd.Series,
    min_coverage: float = 0.8,
    min_fa: float = 0.2,
    seed_spacing_mm: float = 0.8,
    seed: int = 1,
) -> dict[str, Streamlines]:
    """Streamlines of the corticospinal tract of each side, from the pons to the cortex.

    Parameters
    ----------
    dwi : SpatialImage
        4D, preprocessed.
    gradients : Gradients
        In world axes; of several shells, the one with the highest b-value is tracked.
    fa, wm_probability : SpatialImage
        On the diffusion grid.
    weights, table
        Atlas probabilities on the diffusion grid, and their table; `TRACKING_REGIONS` have to be in it.
    mni_mm : SpatialImage
        Template coordinates of each voxel, mm, shape (X, Y, Z, 3).
    coverage : Series
        From `mndmri.tables.coverage.measure_coverage`.
    min_coverage : float
        Streamlines need not pass a peduncle or capsule with less coverage.
    min_fa : float
        Tracking stops below it.
    seed_spacing_mm : float
        Tracking starts on a lattice at most this wide.
    seed : int
        The same seed gives the same streamlines.

    Returns
    -------
    dict
        ``L`` and ``R``: streamlines in world coordinates (mm). None may be left on a side, and none are found
        in a series that `untrackable_reason` says cannot be tracked.

    Notes
    -----
    Probabilistic tracking of fibre orientations by constrained spherical deconvolution (Tournier et al. 2007,
    NeuroImage 35:1459), from seeds in the posterior limb of the internal capsule and the peduncle. Kept is what
    passes the capsule and the peduncle, as far as the scan shows them, and ends below the precentral gyrus.
    """
    check_same_grid(dwi, fa, wm_probability, weights, mni_mm)
    if untrackable_reason(gradients):
        return {"L": Streamlines(), "R": Streamlines()}
    side, _, height = np.moveaxis(np.asarray(mni_mm.dataobj), -1, 0)
    # the T1w image shows little of the white matter in the pons, where the atlas knows the tract
    tract = np.max([select(weights, table, "cst", hemi).get_fdata() for hemi in "LR"], axis=0)
    white = (fa.get_fdata() > min_fa) & ((wm_probability.get_fdata() > 0.5) | (tract >= SEED_PROBABILITY))
    white &= height >= CST_LEVELS_Z_MM["cst_pons"][0]
    density = np.ceil(voxel_sizes(fa) / seed_spacing_mm).astype(int)
    harmonics = _fibre_orientations(dwi, gradients, fa, white)
    found = {}
    for hemi, sign in (("L", -1), ("R", 1)):
        own = white & (sign * side > MIDLINE_MM)
        regions = {name: select(weights, table, name, hemi).get_fdata() for name in TRACKING_REGIONS}
        shown = [name for name in SEED_REGIONS if coverage[name, hemi] >= min_coverage]
        through = [(regions[name] >= SEED_PROBABILITY) & own for name in shown]
        through = [mask for mask in through if mask.any()]
        away = ndimage.distance_transform_edt(regions[TARGET] < TARGET_PROBABILITY, sampling=voxel_sizes(fa))
        target = (away <= TARGET_MARGIN_MM) & (sign * side > MIDLINE_MM)
        if not through or not target.any():
            found[hemi] = Streamlines()
            continue
        seeds = seeds_from_mask(np.any(through, axis=0), fa.affine, density=list(density))
        tracked = probabilistic_tracking(
            seeds,
            BinaryStoppingCriterion((own | target).astype(np.uint8)),
            fa.affine,
            sh=harmonics,
            sphere=default_sphere,
            step_size=STEP_MM,
            max_angle=MAX_ANGLE_DEG,
            min_len=int(LENGTH_MM[0] / STEP_MM),
            max_len=int(LENGTH_MM[1] / STEP_MM),
            nbr_threads=1,
            random_seed=seed,
            return_all=False,
        )
        found[hemi] = _select(tracked, through, target, mni_mm)
    return found


def untrackable_reason(gradients: Gradients) -> str:
    """Reason why a series cannot be tracked; empty if it can."""
    n = int(_highest_shell(gradients).sum())
    least = min(_ORDERS.values())
    return "" if n >= least else f"the highest shell has {n} directions, at least {least} are needed to track fibres"


def _highest_shell(gradients: Gradients) -> np.ndarray:
    """Which volumes have the highest b-value, bool."""
    return ~gradients.is_b0 & (gradients.bvals > gradients.bvals.max() - SHELL_GAP)


def _fibre_orientations(dwi: SpatialImage, gradients: Gradients, fa: SpatialImage, white: np.ndarray) -> np.ndarray:
    """Spherical harmonics of the fibre orientations, shape (X, Y, Z, n), 0 outside the white matter."""
    highest = _highest_shell(gradients)
    shell = gradients.is_b0 | highest
    used = gradients.take(shell)
    order = next(order for order, least in _ORDERS.items() if highest.sum() >= least)
    # dipy tracks along the image's axes, which are those of FSL's table but for the sign of the first
    handed = np.sign(np.linalg.det(dwi.affine[:3, :3]))
    in_image = to_fsl(used.bvecs, dwi.affine).T * [-handed, 1, 1]
    # dipy tells b = 0 by a threshold of its own
    bvals = np.where(used.is_b0, 0.0, used.bvals)
    table = gradient_table(bvals, bvecs=np.where(used.is_b0[:, None], 0.0, in_image), b0_threshold=0)
    signal = np.asarray(dwi.dataobj, np.float32)[..., shell]
    strongest = np.sort(fa.get_fdata()[white])[-min(RESPONSE_VOXELS, int(white.sum())) :]
    response, _ = response_from_mask_ssst(table, signal, white & (fa.get_fdata() >= strongest[0]))
    fitted = ConstrainedSphericalDeconvModel(table, response, sh_order_max=order).fit(signal, mask=white)
    return np.ascontiguousarray(fitted.shm_coeff, dtype=float)


def _select(tracked, through: list[np.ndarray], target: np.ndarray, mni_mm: SpatialImage) -> Streamlines:
    """Streamlines that pass all regions, cut at the target and turned to run upwards."""
    to_voxel = np.linalg.inv(mni_mm.affine)
    height = np.asarray(mni_mm.dataobj)[..., 2]
    last = np.array(target.shape) - 1
    kept = []
    for line in tracked:
        # beyond the outermost voxels' centres there is nothing to interpolate between
        at = nb.affines.apply_affine(to_voxel, line)
        line = line[np.all((at >= 0) & (at <= last), axis=1)]
        if len(line) < 2:
            continue
        index = np.rint(nb.affines.apply_affine(to_voxel, line)).astype(int)
        where = tuple(np.clip(index, 0, last).T)
        if height[where][0] > height[where][-1]:
            line, where = line[::-1], tuple(axis[::-1] for axis in where)
        if target[where][-1] and all(mask[where].any() for mask in through):
            kept.append(line)
    if len(kept) < FEWEST_STREAMLINES:
        return Streamlines(kept)
    distance = gaussian_weights(Streamlines(kept), n_points=N_NODES, return_mahalnobis=True)
    return Streamlines([line for line, far in zip(kept, distance.max(axis=1), strict=True) if far <= MAX_DISTANCE_SD])


def streamline_rows(streamlines: Mapping[str, Streamlines], reason: str = "") -> pd.DataFrame:
    """Number of streamlines of each side, for quality control; columns `MEASURE_COLUMNS`.

    ``reason`` is that of `untrackable_reason`: with one there is no number.
    """
    rows = [
        row("dwi", "n_streamlines", "cst", hemi, n, unit="1", n_voxels=0, status=reason or OK)
        for hemi, n in ((hemi, np.nan if reason else float(len(lines))) for hemi, lines in streamlines.items())
    ]
    return pd.DataFrame(rows, columns=MEASURE_COLUMNS)


def profile_streamlines(
    maps: Mapping[str, SpatialImage], streamlines: Mapping[str, Streamlines], mni_mm: SpatialImage, reason: str = ""
) -> pd.DataFrame:
    """Tensor measures along the streamlines, from the lower end of the internal capsule to the cortex.

    Parameters
    ----------
    maps : mapping
        ``fa``, ``md``, ``ad``, ``rd`` on the diffusion grid.
    streamlines : mapping
        From `track_tract`.
    mni_mm : SpatialImage
        As for `track_tract`.
    reason : str
        From `untrackable_reason`.

    Returns
    -------
    DataFrame
        ``measure``, ``hemi``, ``node`` (1 the lower end of the capsule, 100 the cortex), ``height_mm`` (of the node
        in the template), ``value``, ``unit``, ``n_streamlines``, ``status``.

    Notes
    -----
    Yeatman et al. 2012, PLoS ONE 7:e49790, by dipy's ``afq_profile``. Streamlines end where noise or the image ends;
    the part below the capsule is removed, and streamlines that do not reach it are excluded, so that nodes
    correspond between participants.
    """
    rows = []
    for hemi, lines in streamlines.items():
        whole = _from_the_capsule(lines, mni_mm)
        enough = len(whole) >= FEWEST_STREAMLINES
        few = f"{len(whole)} of {len(lines)} streamlines reach the lower end of the capsule"
        few += f", at least {FEWEST_STREAMLINES} are needed"
        status = reason or (OK if enough else few)
        weights = gaussian_weights(whole, n_points=N_NODES) if enough else None
        height = _along(np.asarray(mni_mm.dataobj)[..., 2], whole, weights, mni_mm.affine)
        for measure, unit in MEASURES.items():
            values = _along(maps[measure].get_fdata(), whole, weights, mni_mm.affine)
            side = pd.DataFrame({"measure": measure, "hemi": hemi, "node": np.arange(1, N_NODES + 1)})
            rows.append(side.assign(height_mm=height, value=values, unit=unit, n_streamlines=len(whole), status=status))
    return pd.concat(rows, ignore_index=True)


def _from_the_capsule(lines: Streamlines, mni_mm: SpatialImage) -> Streamlines:
    """Streamlines without their part below the capsule in the template; none of those that begin above it."""
    to_voxel, height = np.linalg.inv(mni_mm.affine), np.asarray(mni_mm.dataobj)[..., 2]
    lowest = CST_LEVELS_Z_MM["cst_plic"][0]
    kept = []
    for line in lines:
        z = ndimage.map_coordinates(height, nb.affines.apply_affine(to_voxel, line).T, order=1, mode="nearest")
        if z[0] <= lowest:
            kept.append(line[np.flatnonzero(z <= lowest)[-1] :])
    return Streamlines(kept)


def _along(data: np.ndarray, lines: Streamlines, weights: np.ndarray | None, affine: np.ndarray) -> np.ndarray:
    """Weighted mean at each node, shape (N_NODES,); missing without weights."""
    if weights is None:
        return np.full(N_NODES, np.nan)
    return afq_profile(np.asarray(data, float), lines, affine=affine, n_points=N_NODES, weights=weights)


def as_tractogram(streamlines: Mapping[str, Streamlines], hemi: str, grid: SpatialImage) -> StatefulTractogram:
    """One side's streamlines with the space they lie in, to be saved by ``dipy.io.streamline.save_tractogram``."""
    return StatefulTractogram(streamlines[hemi], nb.Nifti1Image.from_image(grid), Space.RASMM)
