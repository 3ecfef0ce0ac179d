"""The diffusion tensor and what it says of each voxel."""

from typing import NamedTuple

import numpy as np
from dipy.core.gradients import gradient_table
from dipy.reconst.dti import TensorModel
from nibabel.spatialimages import SpatialImage

from mndmri.diffusion.gradients import B0_THRESHOLD, Gradients
from mndmri.grids import check_same_grid, make_image
from mndmri.io import InputError

VOXELS_AT_ONCE = 50_000  # a few hundred MB of work space for 60 volumes
# Below this (mm2/s) an eigenvalue is one that the fit found at or below zero: dipy raises those to about 1e-9.
ZERO_DIFFUSIVITY = 1e-8
# Lowest signal, as a fraction of the median b = 0 signal, that a logarithm is taken of.
SIGNAL_FLOOR = 1e-3


class TensorMaps(NamedTuple):
    """A tensor in every voxel of a mask; all maps are 0 outside it."""

    maps: dict[str, SpatialImage]
    """``fa`` (0 to 1), ``md``, ``ad`` and ``rd`` (1e-3 mm2/s), float32."""
    v1: SpatialImage
    """Main direction, world axes, shape (X, Y, Z, 3), unit length; its sign means nothing."""
    negative_fraction: float
    """Fraction of the mask's voxels in which an eigenvalue came out at or below zero."""


def fit_tensor(dwi: SpatialImage, gradients: Gradients, mask: SpatialImage) -> TensorMaps:
    """Tensor maps, by weighted least squares.

    Parameters
    ----------
    dwi : SpatialImage
        4D.
    gradients : Gradients
        In world axes, one entry for each volume.
    mask : SpatialImage
        Brain, on the same grid. Voxels in which a b = 0 signal is not above zero are left at 0.

    Returns
    -------
    TensorMaps

    Raises
    ------
    InputError
        If the table is not of this series, or no voxel of the mask has signal.

    Notes
    -----
    Basser and Pierpaoli 1996, J Magn Reson B 111:209; the fit, Chung et al. 2006, NeuroImage
    33:531. With eigenvalues l1 >= l2 >= l3: AD = l1, RD = (l2 + l3) / 2, MD = their mean.
    """
    check_same_grid(dwi, mask)
    if dwi.ndim != 4 or dwi.shape[3] != len(gradients.bvals):
        raise InputError(
            f"the diffusion image has shape {dwi.shape} but its gradient table has {len(gradients.bvals)} entries; "
            "take volumes and table from the same series"
        )
    data = np.asarray(dwi.dataobj, np.float32)
    b0 = data[..., gradients.is_b0]
    inside = (np.asarray(mask.dataobj) > 0) & np.all(b0 > 0, axis=-1) & np.all(np.isfinite(data), axis=-1)
    if not inside.any():
        raise InputError(
            "no voxel of the brain mask has a b = 0 signal above 0; look at how the mask lies on the b = 0 image"
        )

    table = gradient_table(gradients.bvals, bvecs=gradients.bvecs, b0_threshold=B0_THRESHOLD)
    floor = SIGNAL_FLOOR * float(np.median(b0[inside]))
    model = TensorModel(table, fit_method="WLS", min_signal=floor)
    index = np.flatnonzero(inside)
    signal = data.reshape(-1, data.shape[3])
    names = ("fa", "md", "ad", "rd")
    flat = {name: np.zeros(inside.size, np.float32) for name in names}
    v1 = np.zeros((inside.size, 3), np.float32)
    n_negative = 0
    for begin in range(0, index.size, VOXELS_AT_ONCE):
        some = index[begin : begin + VOXELS_AT_ONCE]
        fit = model.fit(signal[some])
        flat["fa"][some] = np.clip(np.nan_to_num(fit.fa), 0, 1)
        for name in names[1:]:
            flat[name][some] = 1e3 * getattr(fit, name)
        v1[some] = fit.evecs[..., :, 0]
        n_negative += int(np.sum(fit.evals[..., 2] <= ZERO_DIFFUSIVITY))
    return TensorMaps(
        maps={name: make_image(values.reshape(inside.shape), mask) for name, values in flat.items()},
        v1=make_image(v1.reshape(*inside.shape, 3), mask),
        negative_fraction=n_negative / index.size,
    )
