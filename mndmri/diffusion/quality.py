"""Quality measures of a diffusion series and of its preprocessing."""

import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.diffusion.distortion.correction import METHOD_CODES
from mndmri.diffusion.gradients import SHELL_GAP, Gradients
from mndmri.diffusion.preprocessing import Preprocessed
from mndmri.grids import check_same_grid
from mndmri.tables.measures import MEASURE_COLUMNS, OK, row


def neighbour_correlation(dwi: SpatialImage, gradients: Gradients, mask: SpatialImage) -> float:
    """Mean correlation of each weighted volume with that of the nearest direction, -1 to 1.

    Parameters
    ----------
    dwi : SpatialImage
        4D.
    gradients : Gradients
    mask : SpatialImage
        Brain.

    Returns
    -------
    float
        Missing with fewer than two weighted volumes in every shell.

    Notes
    -----
    Neighbouring-DWI correlation: Yeh et al. 2019, NeuroImage 202:116131. Low with motion, lost slices, noise.
    """
    check_same_grid(dwi, mask)
    values = np.asarray(dwi.dataobj, np.float32)[np.asarray(mask.dataobj) > 0].T
    found = []
    for n in np.flatnonzero(~gradients.is_b0):
        shell = ~gradients.is_b0 & (np.abs(gradients.bvals - gradients.bvals[n]) < SHELL_GAP)
        shell[n] = False
        others = np.flatnonzero(shell)
        if others.size:
            nearest = others[np.argmax(np.abs(gradients.bvecs[others] @ gradients.bvecs[n]))]
            found.append(np.corrcoef(values[n], values[nearest])[0, 1])
    return float(np.mean(found)) if found else np.nan


def b0_tsnr(dwi: SpatialImage, gradients: Gradients, mask: SpatialImage) -> float:
    """Median over the brain of mean over standard deviation of the b = 0 volumes; missing with fewer than three."""
    values = np.asarray(dwi.dataobj, np.float32)[np.asarray(mask.dataobj) > 0][:, gradients.is_b0]
    if values.shape[1] < 3:
        return np.nan
    sd = values.std(axis=1, ddof=1)
    return float(np.median(values.mean(axis=1)[sd > 0] / sd[sd > 0])) if (sd > 0).any() else np.nan


def applied_correction(method: str, displacement_mm: SpatialImage) -> str:
    """Method of distortion correction that was applied: none where its displacement was dropped.

    Parameters
    ----------
    method : str
        That was tried, a key of `distortion.correction.METHOD_CODES`.
    displacement_mm : SpatialImage
        What was applied; 0 everywhere if the images agreed less with it than without. A series that was corrected
        before is not displaced again.
    """
    return method if method == "before" or np.any(np.asarray(displacement_mm.dataobj)) else "none"


def series_quality(
    before: SpatialImage,
    gradients: Gradients,
    done: Preprocessed,
    *,
    method: str,
) -> pd.DataFrame:
    """Rows of the quality table on a series and its preprocessing.

    Parameters
    ----------
    before, gradients : SpatialImage, Gradients
        As scanned.
    done : Preprocessed
    method : str
        Of distortion correction, as for `applied_correction`.

    Returns
    -------
    DataFrame
        Columns `MEASURE_COLUMNS`; a value that cannot be computed is missing, with the reason.
    """
    mask, motion, after, turned = done.mask, done.motion, done.series, done.gradients
    applied = applied_correction(method, done.displacement_mm)
    n_brain = int(np.sum(np.asarray(mask.dataobj) > 0))
    n_b0 = int(gradients.is_b0.sum())
    weighted = ~gradients.is_b0
    alone = "fewer than two diffusion-weighted volumes of similar b-value"
    unmeasured = "the method of distortion correction has no reference image"
    lost = float(motion.outliers[weighted].mean()) if weighted.any() else np.nan
    values = [
        ("mean_fd", float(np.mean(motion.displacement)), "mm", ""),
        ("max_fd", float(np.max(motion.displacement)), "mm", ""),
        ("outlier_slices", lost, "1", "no diffusion-weighted volume"),
        ("neighbour_correlation_raw", neighbour_correlation(before, gradients, mask), "1", alone),
        ("neighbour_correlation", neighbour_correlation(after, turned, mask), "1", alone),
        ("b0_tsnr", b0_tsnr(after, turned, mask), "1", f"{n_b0} volumes with b = 0, at least 3 are needed"),
        ("distortion_correction", float(METHOD_CODES[applied]), "1", ""),
        ("distortion_dropped", float(applied != method), "1", ""),
        ("distortion_agreement_raw", done.distortion.agreement_before, "1", unmeasured),
        ("distortion_agreement", done.distortion.agreement, "1", unmeasured),
    ]
    rows = [
        row("dwi", name, "brain", "both", value, unit=unit, n_voxels=n_brain, status=OK if np.isfinite(value) else why)
        for name, value, unit, why in values
    ]
    return pd.DataFrame(rows, columns=MEASURE_COLUMNS)
