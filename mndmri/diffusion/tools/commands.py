"""Command-line tools that a lab already trusts: MRtrix3's dwidenoise and mrdegibbs, FSL's topup and eddy.

Images go in and images come out. A tool runs in a temporary folder, on one thread, through
nipype's typed interfaces; what it prints goes to the log.
"""

import logging
import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import nibabel as nb
import numpy as np
from nibabel.spatialimages import SpatialImage

from mndmri.diffusion.gradients import Gradients, read_gradients, to_fsl
from mndmri.diffusion.tools import fsl_files
from mndmri.grids import make_image, slice_axis
from mndmri.io import InputError, load_image, read_text, save_image, write_text
from mndmri.packages import EDDY_COMMANDS

os.environ["NIPYPE_NO_ET"] = (
    "1"  # read when nipype is imported, which asks the network for its latest version otherwise
)

from nipype.interfaces.base import CommandLine
from nipype.interfaces.fsl import TOPUP, Eddy
from nipype.interfaces.mrtrix3 import DWIDenoise, MRDeGibbs

OUTPUT = "output.nipype"  # where nipype puts what a tool prints
N_LAST_LINES = 10

log = logging.getLogger(__name__)


class Topup(NamedTuple):
    """What topup found."""

    displacement: SpatialImage
    """Voxels along the phase-encoding axis, 3D, on the grid of the first image: the undistorted voxel p
    finds its signal at p + displacement."""
    coefficients: bytes
    """Its file of spline coefficients, for eddy."""
    movement: str
    """Its file of head movement between the two images, for eddy."""


class Eddied(NamedTuple):
    """What eddy made of a series."""

    series: SpatialImage
    """4D, float32, on the grid of the series; 0 where a volume has no data."""
    gradients: Gradients
    """In world axes, turned with the head."""
    transforms: np.ndarray
    """From reference to volume world points, rigid, shape (N, 4, 4)."""
    outliers: np.ndarray
    """Slices that were replaced, shape (N, slices), bool; all False if outliers were not searched."""


def dwidenoise(dwi: SpatialImage, *, mask: SpatialImage | None = None) -> tuple[SpatialImage, SpatialImage]:
    """Series without the components that are noise alone, and the map of the noise, by MRtrix3.

    Parameters
    ----------
    dwi : SpatialImage
        4D, canonical, before any interpolation.
    mask : SpatialImage, optional
        Where to work; outside, the data stay as they are and the noise is 0.

    Returns
    -------
    series, noise : SpatialImage
        float32; ``noise`` is the standard deviation, 3D.

    Raises
    ------
    InputError
        If the tool fails.

    Notes
    -----
    Veraart et al. 2016, NeuroImage 142:394; Cordero-Grande et al. 2019, NeuroImage 200:391.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        save_image(dwi, folder / "dwi.nii")
        # -quiet: without its progress bar
        tool = DWIDenoise(in_file=folder / "dwi.nii", out_file="out.nii", noise="noise.nii", nthreads=1, args="-quiet")
        if mask is not None:
            save_image(mask, folder / "mask.nii", dtype=np.uint8)
            tool.inputs.mask = folder / "mask.nii"
        run(tool, folder, key="dwi.denoise", otherwise="true")
        cleaned, noise = (np.asarray(load_image(folder / f"{name}.nii").dataobj) for name in ("out", "noise"))
    if mask is not None:
        inside = np.asarray(mask.dataobj) > 0
        cleaned = np.where(inside[..., None], cleaned, np.asarray(dwi.dataobj))
        noise = np.where(inside, noise, 0)
    return make_image(cleaned.astype(np.float32), dwi), make_image(noise.astype(np.float32), dwi)


def mrdegibbs(dwi: SpatialImage, *, slice_axis: int = 2) -> SpatialImage:
    """Series without Gibbs ringing in the plane of the slices, by MRtrix3.

    Parameters
    ----------
    dwi : SpatialImage
        4D, canonical, before any interpolation.
    slice_axis : int
        Array axis across the slices.

    Raises
    ------
    InputError
        If the tool fails.

    Notes
    -----
    Kellner et al. 2016, Magn Reson Med 76:1574.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        save_image(dwi, folder / "dwi.nii")
        plane = [axis for axis in range(3) if axis != slice_axis]
        tool = MRDeGibbs(in_file=folder / "dwi.nii", out_file="out.nii", axes=plane, nthreads=1, args="-quiet")
        run(tool, folder, key="dwi.gibbs", otherwise="true")
        return make_image(np.asarray(load_image(folder / "out.nii").dataobj, np.float32), dwi)


def topup_command(
    b0: SpatialImage,
    reverse_b0: SpatialImage,
    folder: Path,
    *,
    axis: int,
    polarity: int,
    readouts_s: tuple[float | None, float | None],
) -> TOPUP:
    """FSL's topup, ready to run in a folder that its input has been written to; see `topup`."""
    pair = [np.asarray(fsl_files.to_fsl_order(image).dataobj) for image in (b0, reverse_b0)]
    save_image(nb.Nifti1Image(np.stack(pair, axis=-1), fsl_files.to_fsl_order(b0).affine), folder / "pair.nii.gz")
    parameters = fsl_files.acquisition_parameters(axis, [polarity, -polarity], list(readouts_s))
    write_text(parameters, folder / "acqparams.txt")
    return TOPUP(
        in_file=folder / "pair.nii.gz",
        encoding_file=folder / "acqparams.txt",
        out_base="topup",
        out_field="field.nii.gz",
        output_type="NIFTI_GZ",
    )


def topup(
    b0: SpatialImage,
    reverse_b0: SpatialImage,
    *,
    axis: int,
    polarity: int,
    readouts_s: tuple[float | None, float | None] = (None, None),
) -> Topup:
    """Displacement from two b = 0 images of opposite phase encoding, by FSL.

    Parameters
    ----------
    b0, reverse_b0 : SpatialImage
        3D, canonical, on one grid; the first is that of the series.
    axis : int
        Array axis of the canonical grid along which phase was encoded.
    polarity : {1, -1}
        Of ``b0``: towards higher or lower indices.
    readouts_s : (float or None, float or None)
        Total readout time of each, s; with None one value stands for both.

    Raises
    ------
    InputError
        If phase was encoded across axial slices, or the tool fails.

    Notes
    -----
    Andersson et al. 2003, NeuroImage 20:870. The field, Hz, times the readout time is the shift in
    voxels, along the line of the first image in the file of acquisition parameters.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        tool = topup_command(b0, reverse_b0, folder, axis=axis, polarity=polarity, readouts_s=readouts_s)
        run(tool, folder, key="dwi.distortion", otherwise="reverse")
        field_hz = fsl_files.from_fsl_order(load_image(folder / "field.nii.gz"), b0)
        coefficients = (folder / "topup_fieldcoef.nii.gz").read_bytes()
        movement = read_text(folder / "topup_movpar.txt")
    readout_s = fsl_files.ANY_READOUT_S if None in readouts_s else readouts_s[0]
    return Topup(make_image(np.asarray(field_hz.dataobj) * readout_s * polarity, b0), coefficients, movement)


def eddy_command(
    dwi: SpatialImage,
    gradients: Gradients,
    mask: SpatialImage,
    folder: Path,
    *,
    axis: int,
    polarity: int,
    readout_s: float | None,
    outlier_sd: float | None,
    distortion: Topup | None,
    reverse_readout_s: float | None,
) -> Eddy:
    """FSL's eddy, ready to run in a folder that its input has been written to; see `eddy`."""
    series = fsl_files.to_fsl_order(dwi)
    save_image(series, folder / "dwi.nii.gz")
    save_image(fsl_files.to_fsl_order(mask), folder / "mask.nii.gz", dtype=np.uint8)
    pair = distortion is not None  # its file of movement has a line for each image of the pair
    readouts_s = [readout_s, reverse_readout_s] if pair else [readout_s]
    parameters = fsl_files.acquisition_parameters(axis, [polarity, -polarity] if pair else [polarity], readouts_s)
    write_text(parameters, folder / "acqparams.txt")
    write_text(" ".join("1" for _ in gradients.bvals) + "\n", folder / "index.txt")
    write_text(" ".join(f"{b:g}" for b in gradients.bvals) + "\n", folder / "bvals")
    rows = to_fsl(gradients.bvecs, series.affine)
    write_text("\n".join(" ".join(f"{v:.9g}" for v in row) for row in rows) + "\n", folder / "bvecs")
    tool = Eddy(
        command=next((name for name in EDDY_COMMANDS if shutil.which(name)), EDDY_COMMANDS[0]),
        in_file=folder / "dwi.nii.gz",
        in_mask=folder / "mask.nii.gz",
        in_acqp=folder / "acqparams.txt",
        in_index=folder / "index.txt",
        in_bval=folder / "bvals",
        in_bvec=folder / "bvecs",
        out_base=str(folder / "eddy"),
        slm="linear",  # for few directions; with many it changes little (FSL's user guide)
        is_shelled=True,  # b-values a few percent apart are no reason to stop
        num_threads=1,
        output_type="NIFTI_GZ",
    )
    if outlier_sd is not None:
        tool.inputs.repol = True
        tool.inputs.args = f"--ol_nstd={outlier_sd:g}"  # nipype's own input for it takes whole numbers alone
    if distortion is not None:
        (folder / "topup_fieldcoef.nii.gz").write_bytes(distortion.coefficients)
        write_text(distortion.movement, folder / "topup_movpar.txt")
        tool.inputs.in_topup_fieldcoef = folder / "topup_fieldcoef.nii.gz"
        tool.inputs.in_topup_movpar = folder / "topup_movpar.txt"
    return tool


def eddy(
    dwi: SpatialImage,
    gradients: Gradients,
    mask: SpatialImage,
    *,
    axis: int,
    polarity: int,
    readout_s: float | None = None,
    outlier_sd: float | None = 4.0,
    distortion: Topup | None = None,
    reverse_readout_s: float | None = None,
) -> Eddied:
    """Series without head motion and eddy currents, and with ``distortion`` without that too, by FSL.

    Parameters
    ----------
    dwi : SpatialImage
        4D, canonical.
    gradients : Gradients
        In world axes.
    mask : SpatialImage
        Brain, on the grid of the series.
    axis, polarity : int
        Phase encoding, as for `topup`; without ``distortion`` a polarity that is not known may be given as 1.
    readout_s, reverse_readout_s : float, optional
        Total readout time of the series, and of the reverse image that topup was given, s.
    outlier_sd : float, optional
        Slices this many standard deviations below their prediction are replaced by it; None: none are.
    distortion : Topup, optional
        From topup with the first volume of the series.

    Raises
    ------
    InputError
        If slices do not lie across the third axis, phase was encoded along it, or the tool fails.

    Notes
    -----
    Andersson and Sotiropoulos 2016, NeuroImage 125:1063; outliers: Andersson et al. 2016, NeuroImage 141:556.
    """
    if slice_axis(dwi) != 2:
        raise InputError(
            f"the slices lie across axis {slice_axis(dwi)} of the series, and FSL's eddy assumes axial slices; set "
            "dwi.motion to true"
        )
    with TemporaryDirectory() as name:
        folder = Path(name)
        tool = eddy_command(
            dwi,
            gradients,
            mask,
            folder,
            axis=axis,
            polarity=polarity,
            readout_s=readout_s,
            outlier_sd=outlier_sd,
            distortion=distortion,
            reverse_readout_s=reverse_readout_s,
        )
        run(tool, folder, key="dwi.motion", otherwise="true")
        return read_eddy(folder / "eddy", dwi, gradients)


def read_eddy(base: Path, dwi: SpatialImage, gradients: Gradients) -> Eddied:
    """Output of eddy on the grid and in the axes of its input series.

    Parameters
    ----------
    base : path
        Of its files, as ``--out``.
    dwi, gradients : SpatialImage, Gradients
        As given to `eddy`.
    """
    corrected = load_image(base.with_suffix(".nii.gz"))
    turned = read_gradients(gradients.bvals, read_text(base.with_suffix(".eddy_rotated_bvecs")), corrected.affine)
    n_volumes, n_slices = dwi.shape[3], dwi.shape[2]
    movement = fsl_files.read_movement(read_text(base.with_suffix(".eddy_parameters")), n_volumes)
    outlier_map = base.with_suffix(".eddy_outlier_map")
    outliers = np.zeros((n_volumes, n_slices), bool)
    if outlier_map.exists():
        outliers = fsl_files.read_outliers(read_text(outlier_map), outliers.shape)
    series = make_image(np.asarray(fsl_files.from_fsl_order(corrected, dwi).dataobj), dwi)
    return Eddied(series, turned, fsl_files.movement_transforms(movement, corrected), outliers)


def run(tool: CommandLine, folder: Path, *, key: str, otherwise: str) -> None:
    """Run a tool in a folder, and hand on what it prints to the log.

    Parameters
    ----------
    tool : CommandLine
    folder : path
    key, otherwise : str
        Key of the config that chose the tool, and the value that does without.

    Raises
    ------
    InputError
        With the command and its last lines, if the tool is absent or fails.
    """
    tool.terminal_output = "file"
    log.info("%s", tool.cmdline)
    try:
        tool.run(cwd=str(folder))
    except (RuntimeError, OSError) as error:
        printed = _printed(folder) or str(error).strip()
        last = "\n".join(printed.splitlines()[-N_LAST_LINES:])
        raise InputError(
            f"{tool.cmd} failed; its last lines:\n{last}\ncorrect the problem, or set {key} to {otherwise}, "
            "which does not need it"
        ) from None
    log.info("%s", _printed(folder))


def _printed(folder: Path) -> str:
    """What a tool printed."""
    output = folder / OUTPUT
    return output.read_text(encoding="utf-8", errors="replace").strip() if output.exists() else ""
