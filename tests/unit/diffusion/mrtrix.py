"""MRtrix3's commands, for comparison."""

import resource
import shutil
import subprocess
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest
from nibabel.spatialimages import SpatialImage

from mndmri.diffusion.gradients import Gradients, read_gradients, to_fsl
from mndmri.grids import make_image, to_canonical

SERIES = {"sub-philips01": "sub-philips01_dwi", "sub-iu01": "sub-iu01_dir-AP_dwi"}


def run(command: str, *arguments: object) -> float:
    """CPU seconds of a command with one thread; the test is skipped where there is no MRtrix3."""
    if shutil.which(command) is None:
        pytest.skip(f"MRtrix3's {command} is not on the PATH")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([command, "-quiet", "-nthreads", "1", *map(str, arguments)], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def save_series(folder: Path, dwi: SpatialImage, gradients: Gradients) -> Path:
    """Series and gradient table as files; the path of the series."""
    nb.save(dwi, folder / "dwi.nii")
    np.savetxt(folder / "dwi.bval", gradients.bvals[None], fmt="%g")
    np.savetxt(folder / "dwi.bvec", to_fsl(gradients.bvecs, dwi.affine), fmt="%.8f")
    return folder / "dwi.nii"


def dwi2tensor(folder: Path, dwi: SpatialImage, gradients: Gradients) -> tuple[dict[str, np.ndarray], float]:
    """Maps ``fa``, ``md`` (mm2/s) and ``v1`` (world axes), and CPU seconds of the fit alone."""
    series = save_series(folder, dwi, gradients)
    fsl = ("-fslgrad", folder / "dwi.bvec", folder / "dwi.bval")
    cost = run("dwi2tensor", series, folder / "tensor.nii", *fsl)
    files = {name: folder / f"{name}.nii" for name in ("fa", "md", "v1")}
    options = ("-fa", files["fa"], "-adc", files["md"], "-vector", files["v1"], "-modulate", "none")
    run("tensor2metric", folder / "tensor.nii", *options)
    return {name: nb.load(path).get_fdata() for name, path in files.items()}, cost


def dwidenoise(folder: Path, dwi: SpatialImage) -> tuple[np.ndarray, np.ndarray, float]:
    """Denoised series, map of the noise, and CPU seconds."""
    nb.save(dwi, folder / "noisy.nii")
    files = folder / "noisy.nii", folder / "denoised.nii", folder / "noise.nii"
    cost = run("dwidenoise", files[0], files[1], "-noise", files[2])
    return nb.load(files[1]).get_fdata(), nb.load(files[2]).get_fdata(), cost


def real_series(real_data: Path, who: str) -> tuple[SpatialImage, Gradients, SpatialImage]:
    """Sixteen slices from the middle of a real person's head, the gradient table, and a mask of what is bright."""
    stem = real_data / "real" / who / "dwi" / SERIES[who]
    stored = nb.load(f"{stem}.nii.gz")
    gradients = read_gradients(Path(f"{stem}.bval").read_text(), Path(f"{stem}.bvec").read_text(), stored.affine)
    middle = stored.shape[2] // 2
    dwi = to_canonical(stored.slicer[:, :, middle - 4 : middle + 12])
    data = np.asarray(dwi.dataobj, np.float32)
    mean = data.mean(axis=-1)
    return make_image(data, dwi), gradients, make_image(mean > 0.15 * np.percentile(mean, 99), dwi)
