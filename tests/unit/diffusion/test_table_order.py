import numpy as np
import pytest

from mndmri.diffusion.gradients import Gradients, read_gradients
from mndmri.diffusion.table_order import doubt_order
from mndmri.io import load_image, read_text


def directions(n, seed=3):
    """In an order that jumps about, as scanners have it."""
    z = (np.arange(n) + 0.5) / n
    angle = np.arange(n) * np.pi * (3 - 5**0.5)
    spread = np.stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z], axis=1)
    return spread[np.random.default_rng(seed).permutation(n)]


def table(n=20):
    return Gradients(np.r_[0, 0, np.full(n, 1000.0)], np.vstack([np.zeros((2, 3)), directions(n)]))


def series(gradients, *, noise=0.03):
    """Fibres in all directions, of an anisotropy of 0.5, in air."""
    rng = np.random.default_rng(1)
    axes = rng.normal(size=(10, 11, 8, 3))
    axes /= np.linalg.norm(axes, axis=-1, keepdims=True)
    along = (axes @ gradients.bvecs.T) ** 2
    signal = 900 * np.exp(-gradients.bvals * 1e-3 * (0.5 + 0.8 * along))
    signal += 900 * noise * rng.normal(size=signal.shape)
    return np.pad(signal, [(3, 3)] * 3 + [(0, 0)], constant_values=5.0)


def shifted(gradients, step):
    bvecs = gradients.bvecs.copy()
    bvecs[2:] = np.roll(bvecs[2:], step, axis=0)
    return gradients._replace(bvecs=bvecs)


def test_a_table_that_fits_is_not_doubted():
    assert doubt_order(series(table()), table()) == ""


@pytest.mark.parametrize(("step", "other"), [(1, "after"), (-1, "before")])
def test_a_table_shifted_by_one_volume_is_doubted(step, other):
    found = doubt_order(series(table()), shifted(table(), step))
    assert f"the direction of the one {other} it better" in found and "shifted by one volume" in found


def test_axes_do_not_matter():
    mirrored = table()._replace(bvecs=table().bvecs[:, [1, 0, 2]] * [1, -1, 1])
    assert doubt_order(series(table()), mirrored) == ""


@pytest.mark.parametrize("n", [6, 8, 30])
def test_noise_and_few_directions_are_no_reason_to_doubt(n):
    gradients = table(n)
    noise = np.random.default_rng(2).integers(600, 1000, (10, 11, 8, n + 2)) * np.exp(-gradients.bvals / 1000)
    for step in (0, 1, -1):
        assert doubt_order(noise, shifted(gradients, step)) == ""


@pytest.mark.real
@pytest.mark.parametrize("name", ["sub-philips01_dwi", "sub-iu01_dir-AP_dwi", "sub-uih02_dir-AP_dwi"])
def test_tables_of_real_people_fit_and_shifted_ones_do_not(real_data, name):
    stem = real_data / "real" / name.split("_")[0] / "dwi" / name
    image = load_image(f"{stem}.nii.gz")
    gradients = read_gradients(read_text(f"{stem}.bval"), read_text(f"{stem}.bvec"), image.affine)
    data = np.asarray(image.dataobj)
    assert doubt_order(data, gradients) == ""
    weighted = np.flatnonzero(~gradients.is_b0)
    for step in (1, -1):
        bvecs = gradients.bvecs.copy()
        bvecs[weighted] = np.roll(bvecs[weighted], step, axis=0)
        assert "shifted by one volume" in doubt_order(data, gradients._replace(bvecs=bvecs))
