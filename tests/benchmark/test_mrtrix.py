"""What the tensor fit and the denoising cost, beside MRtrix3 on the same data in the same run."""

import time
import tracemalloc

import nibabel as nb
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from mndmri.diffusion.denoise import reduce_noise
from mndmri.diffusion.free_water import fit_free_water
from mndmri.diffusion.gradients import Gradients
from mndmri.diffusion.tensor import fit_tensor
from mndmri.grids import make_image
from tests.unit.diffusion import mrtrix

pytestmark = pytest.mark.benchmark

BRAIN = (74, 74, 37)  # 202,612 voxels: a whole brain of 2 mm
SLAB = (74, 74, 7)
VOXELS_AT_ONCE = 20_000


def simulate(shape, directions, *, shells=(1000.0,), snr=30):
    """Series of one tensor a voxel, anyhow turned, with a b = 0 volume; its gradient table and a mask of everything."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(directions, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    bvals = np.r_[0.0, np.repeat(shells, directions)]
    table = Gradients(bvals, np.vstack([np.zeros((1, 3)), *([vectors] * len(shells))]))
    data = np.empty((np.prod(shape), bvals.size), np.float32)
    for begin in range(0, len(data), VOXELS_AT_ONCE):
        some = data[begin : begin + VOXELS_AT_ONCE]
        axis = rng.normal(size=(len(some), 3))
        axis /= np.linalg.norm(axis, axis=1, keepdims=True)
        signal = np.exp(-bvals * (4e-4 + 1.2e-3 * (axis @ table.bvecs.T) ** 2))
        some[:] = np.abs(900 * signal + rng.normal(0, 900 / snr, signal.shape))
    image = nb.Nifti1Image(data.reshape(*shape, -1), np.diag([2.0, 2.0, 2.0, 1.0]))
    return image, table, make_image(np.ones(shape, np.uint8), image)


def cost_of(function, *arguments, **options):
    """What a function returns and its CPU seconds with one thread."""
    with threadpool_limits(1):
        started = time.process_time()
        result = function(*arguments, **options)
        return result, time.process_time() - started


def test_tensor_fit_costs_at_most_twice_dwi2tensor(tmp_path):
    dwi, table, mask = simulate(BRAIN, 64)
    theirs, reference = mrtrix.dwi2tensor(tmp_path, dwi, table)
    fit, cost = cost_of(fit_tensor, dwi, table, mask)
    _, robust = cost_of(fit_tensor, dwi, table, mask, method="robust")
    difference = np.abs(fit.maps["fa"].get_fdata() - theirs["fa"])
    print(
        f"\n{mask.get_fdata().sum():.0f} voxels x 65: fit_tensor {cost:.2f}, robust {robust:.2f}, dwi2tensor "
        f"{reference:.2f} CPU s; FA differs by {difference.mean():.1e}"
    )
    assert cost <= 2 * reference
    assert difference.mean() < 1e-4


def test_tensor_fit_needs_less_than_a_gigabyte_beside_the_data():
    dwi, table, mask = simulate(BRAIN, 64)
    tracemalloc.start()
    fit_tensor(dwi, table, mask)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"\n{peak / 2**20:.0f} MB beside data of {dwi.dataobj.nbytes / 2**20:.0f} MB")
    assert peak < 2**30


@pytest.mark.parametrize(("shape", "directions"), [(BRAIN, 16), (SLAB, 64)])
def test_denoising_costs_at_most_four_times_dwidenoise(tmp_path, shape, directions):
    dwi, _, _ = simulate(shape, directions)
    denoised, noise, reference = mrtrix.dwidenoise(tmp_path, dwi)
    found, cost = cost_of(reduce_noise, dwi)
    ours = (part.get_fdata() for part in found)
    differences = [np.median(np.abs(a - b) / b.mean()) for a, b in zip(ours, (denoised, noise), strict=True)]
    print(
        f"\n{noise.size} voxels x {directions + 1}: reduce_noise {cost:.2f}, dwidenoise {reference:.2f} CPU s; "
        f"series differ by {differences[0]:.1e}, noise by {differences[1]:.1e}"
    )
    assert cost <= 4 * reference
    assert max(differences) < 1e-3


def test_free_water_of_a_whole_brain_costs_less_than_a_minute():
    dwi, table, mask = simulate(BRAIN, 32, shells=(1000.0, 2000.0))
    _, cost = cost_of(fit_free_water, dwi, table, mask)
    print(f"\n{mask.get_fdata().sum():.0f} voxels x 65: fit_free_water {cost:.2f} CPU s")
    assert cost < 60
