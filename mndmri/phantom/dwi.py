"""Diffusion-weighted scan of a simulated head: tensors, head motion, echo-planar distortion."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage
from scipy import ndimage
from scipy.spatial.transform import Rotation

from mndmri.grids import make_image
from mndmri.phantom.damage import tract_loss
from mndmri.phantom.deformation import (
    HEAD_CENTRE_MM,
    Head,
    add_rician_noise,
    scan_centre,
    store,
)
from mndmri.phantom.fibres import fibre_directions
from mndmri.phantom.head import TISSUES, Anatomy
from mndmri.phantom.plan import complete
from mndmri.phantom.scanning import FieldOfView, place_person
from mndmri.phantom.truth import true_tract

# Signal at b=0 relative to white matter (T2-weighted, fat suppressed) and mean diffusivity in mm2/s
# at body temperature (Pierpaoli et al. 1996, Radiology 201:637).
B0_SIGNAL = {"grey": 1.2, "white": 1.0, "csf": 2.5, "bone": 0.0, "fat": 0.15, "soft": 0.5}
MEAN_DIFFUSIVITY = {
    "grey": 0.8e-3,
    "white": 0.75e-3,
    "csf": 3.0e-3,
    "bone": 0.0,
    "fat": 0.1e-3,
    "soft": 1.3e-3,
}
FA_TRACT, FA_CALLOSUM, FA_OTHER = 0.68, 0.75, 0.42
WHITE_SIGNAL = 300.0  # scanner units, at b=0

# A tract's map is a probability across people; from here up a voxel's fibres are all the tract's.
_FULL_PROBABILITY = 0.15

_VIEW = FieldOfView((198.0, 234.0, 174.0), (0.0, -18.0, 4.0), ("cst", "callosum", "precentral", "depth"))
_SINUS_MM, _SINUS_SD_MM = np.array([0.0, 65.0, -22.0]), 20.0  # where the field offset peaks, and its extent
_RNG_STREAM = 300


class DwiScan(NamedTuple):
    """Diffusion series and what is true of it."""

    image: SpatialImage
    """4D, float32."""
    bvals: np.ndarray
    """(n_volumes,), s/mm2."""
    bvecs: np.ndarray
    """(3, n_volumes), FSL's convention: along the image's axes, the first flipped if det(affine) > 0."""
    sidecar: dict[str, Any]
    motion: np.ndarray
    """(n_volumes, 4, 4): from world points of the head at rest to where they were in the volume."""
    reverse_b0: SpatialImage | None
    """Volume at b=0 with opposite phase encoding, or None."""
    reverse_sidecar: dict[str, Any] | None
    truth: pd.DataFrame


def gradient_directions(n: int) -> np.ndarray:
    """Unit vectors spread over the half sphere on a golden spiral, shape (n, 3)."""
    height = 1 - (np.arange(n) + 0.5) / n
    angle = np.pi * (1 + np.sqrt(5)) * np.arange(n)
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=-1)


def fsl_bvecs(directions: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """World directions (n, 3) as FSL writes them for an image, shape (3, n).

    Along the axes of the image as stored; the first component changes sign where the affine's
    determinant is positive.
    """
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    vectors = np.linalg.solve(axes, directions.T)
    if np.linalg.det(affine[:3, :3]) > 0:
        vectors[0] *= -1
    return vectors


def axial_tensor(direction: np.ndarray, fa: np.ndarray | float, md: float) -> np.ndarray:
    """Tensors with one main axis, of given FA and mean diffusivity.

    Parameters
    ----------
    direction : ndarray, shape (..., 3)
        Unit vectors.
    fa : ndarray, shape (...), or float
        0 to 1.
    md : float
        mm2/s.

    Returns
    -------
    ndarray, shape (..., 3, 3)
        ``md I + c (v v' - I / 3)`` with ``c = 3 md fa / sqrt(3 - 2 fa^2)``, which has that FA.
    """
    fa = np.asarray(fa)
    strength = 3 * md * fa / np.sqrt(3 - 2 * fa**2)
    outer = direction[..., :, None] * direction[..., None, :]
    return md * np.eye(3) + strength[..., None, None] * (outer - np.eye(3) / 3)


def white_tensor(head: Head, fibres: Mapping[str, np.ndarray], loss: np.ndarray) -> np.ndarray:
    """Diffusion tensor of the white matter in each voxel, in world axes, shape (X, Y, Z, 3, 3), mm2/s.

    Parameters
    ----------
    head : Head
        With the maps ``cst`` and ``callosum``.
    fibres : mapping
        Unit vectors in world axes for ``cst``, ``callosum`` and ``other``.
    loss : ndarray, shape (X, Y, Z)
        Relative loss of the tract's FA, 0 to 1; its mean diffusivity stays.
    """
    md = MEAN_DIFFUSIVITY["white"]
    tract = np.clip(head.maps["cst"] / _FULL_PROBABILITY, 0, 1)[..., None, None]
    callosum = np.clip(head.maps["callosum"] / _FULL_PROBABILITY, 0, 1)[..., None, None] * (1 - tract)
    return (
        tract * axial_tensor(fibres["cst"], FA_TRACT * (1 - loss), md)
        + callosum * axial_tensor(fibres["callosum"], FA_CALLOSUM, md)
        + (1 - tract - callosum) * axial_tensor(fibres["other"], FA_OTHER, md)
    )


def diffusion_signal(head: Head, white: np.ndarray, direction: np.ndarray, b_value: float) -> np.ndarray:
    """Noise-free signal of one volume, shape (X, Y, Z), relative to white matter at b=0."""
    along = np.einsum("...ij,i,j", white, direction, direction)
    signal = head.maps["white"] * B0_SIGNAL["white"] * np.exp(-b_value * along)
    for tissue in TISSUES:
        if tissue != "white":
            attenuation = np.exp(-b_value * MEAN_DIFFUSIVITY[tissue])
            signal = signal + B0_SIGNAL[tissue] * attenuation * head.maps[tissue]
    return signal.astype(np.float32)


def fit_tensor(signal: np.ndarray, bvals: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tensors from noise-free signals, by least squares on their logarithms.

    Parameters
    ----------
    signal : ndarray, shape (n, n_volumes)
        Positive.
    bvals : ndarray, shape (n_volumes,)
        s/mm2.
    directions : ndarray, shape (n_volumes, 3)

    Returns
    -------
    eigenvalues : ndarray, shape (n, 3)
        mm2/s, rising.
    eigenvectors : ndarray, shape (n, 3, 3)
        In columns.
    """
    x, y, z = directions.T
    design = -bvals[:, None] * np.stack([x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z], axis=-1)
    design = np.column_stack([design, np.ones(len(bvals))])
    xx, yy, zz, xy, xz, yz, _ = np.linalg.pinv(design) @ np.log(signal.T)
    tensor = np.stack([xx, xy, xz, xy, yy, yz, xz, yz, zz], axis=-1).reshape(-1, 3, 3)
    return np.linalg.eigh(tensor)


def fractional_anisotropy(eigenvalues: np.ndarray) -> np.ndarray:
    """FA of eigenvalues (..., 3)."""
    spread = ((eigenvalues - eigenvalues.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    return np.sqrt(1.5 * spread / np.maximum((eigenvalues**2).sum(axis=-1), 1e-30))


def _random_motion(rng: np.random.Generator, n: int, centre: np.ndarray, sd_deg: float, sd_mm: float) -> np.ndarray:
    """Rigid movements about the head's centre, shape (n, 4, 4); none in the first volume."""
    motion = np.tile(np.eye(4), (n, 1, 1))
    angles, shifts = sd_deg * rng.standard_normal((n, 3)), sd_mm * rng.standard_normal((n, 3))
    for matrix, angle, shift in zip(motion[1:], angles, shifts, strict=False):
        matrix[:3, :3] = Rotation.from_euler("xyz", angle, degrees=True).as_matrix()
        matrix[:3, 3] = centre + shift - matrix[:3, :3] @ centre
    return motion


def _distorted_index(displacement: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where along the second axis the signal of each voxel comes from, and how it is piled up.

    Parameters
    ----------
    displacement : ndarray, shape (X, Y, Z)
        By how many voxels signal moves along the second axis.

    Returns
    -------
    source, intensity : ndarray, shape (X, Y, Z)
        Voxel index along the axis, and factor of intensity.
    """
    index = np.stack(np.meshgrid(*map(np.arange, displacement.shape), indexing="ij")).astype(float)
    target = index[1].copy()
    for _ in range(20):  # fixed point: source + displacement(source) = target
        index[1] = target - ndimage.map_coordinates(displacement, index, order=1, mode="nearest")
    return index[1], np.gradient(index[1], axis=1)


def _acquire(still: np.ndarray, affine: np.ndarray, motion: np.ndarray, displacement: np.ndarray | None) -> np.ndarray:
    """Volume of a moved head, distorted along the second axis; one interpolation, none if neither."""
    if displacement is None and np.array_equal(motion, np.eye(4)):
        return still
    index = np.stack(np.meshgrid(*map(np.arange, still.shape), indexing="ij")).astype(float)
    intensity: np.ndarray | float = 1.0
    if displacement is not None:
        index[1], intensity = _distorted_index(displacement)
    to_still = np.linalg.inv(affine) @ np.linalg.inv(motion) @ affine
    source = np.moveaxis(nb.affines.apply_affine(to_still, np.moveaxis(index, 0, -1)), -1, 0)
    return np.clip(ndimage.map_coordinates(still, source, order=3, mode="nearest"), 0, None) * intensity


def simulate_dwi(anatomy: Anatomy, person: Mapping[str, Any], simulation: Mapping[str, Any]) -> DwiScan:
    """Diffusion scan of one person.

    Parameters
    ----------
    anatomy : Anatomy
    person : mapping
        A row of the cohort's plan.
    simulation : mapping
        The config's block ``simulation``.

    Returns
    -------
    DwiScan
        ``truth`` holds FA and MD of the noise-free, undistorted signal of the head at rest.
    """
    settings = complete(simulation)
    own = settings["dwi"]
    head, _ = place_person(anatomy, person, settings, "dwi", _VIEW)
    grid = head.grid

    fibres = fibre_directions(head, anatomy.centreline)
    white = white_tensor(head, fibres, tract_loss(head, anatomy.centreline, person, settings["cst_profile"]))
    directions = np.vstack([np.zeros((own["n_b0"], 3)), gradient_directions(own["n_directions"])])
    bvals = np.repeat([0.0, own["b_value"]], [own["n_b0"], own["n_directions"]])

    rng = np.random.default_rng([int(person["scan_seed"]), _RNG_STREAM])
    turning_point = scan_centre(person, settings, "dwi", HEAD_CENTRE_MM.tolist())
    motion = _random_motion(rng, len(bvals), turning_point, own["motion_deg"], own["motion_mm"])
    field_hz = own["field_hz"] * np.exp(-0.5 * (np.linalg.norm(head.place - _SINUS_MM, axis=-1) / _SINUS_SD_MM) ** 2)
    stored_affine = store(grid, own["storage"]).affine
    # a positive field moves signal up the stored axis: phase encoding 'j' or its like
    name, sign = _phase_encoding(stored_affine)
    displacement = sign * field_hz * own["readout_s"] if own["field_hz"] else None

    sd = settings["noise"]["dwi"]
    volumes = []
    for matrix, direction, b_value in zip(motion, directions, bvals, strict=True):
        # the head turns under a gradient that stays
        seen = diffusion_signal(head, white, matrix[:3, :3].T @ direction, b_value)
        volumes.append(add_rician_noise(_acquire(seen, grid.affine, matrix, displacement), sd, rng))
    series = WHITE_SIGNAL * np.stack(volumes, axis=-1)

    reverse = reverse_sidecar = None
    sidecar = _sidecar(name, own["readout_s"])
    if own["reverse_b0"]:
        against = None if displacement is None else -displacement
        b0 = _acquire(diffusion_signal(head, white, np.zeros(3), 0.0), grid.affine, np.eye(4), against)
        reverse = store(make_image(WHITE_SIGNAL * add_rician_noise(b0, sd, rng), grid), own["storage"])
        reverse_sidecar = _sidecar(f"{name}-", own["readout_s"])

    fa, md = _true_maps(head, white, bvals, directions)
    image = store(make_image(series, grid), own["storage"])
    return DwiScan(
        image,
        bvals,
        fsl_bvecs(directions, image.affine),
        sidecar,
        motion,
        reverse,
        reverse_sidecar,
        true_tract(head, fa, md * 1e3),
    )


def _phase_encoding(affine: np.ndarray) -> tuple[str, int]:
    """Stored axis that runs front to back: BIDS letter, and 1 if it runs to the front."""
    orientation = nb.orientations.io_orientation(affine)
    axis = int(np.flatnonzero(orientation[:, 0] == 1)[0])
    return "ijk"[axis], int(orientation[axis, 1])


def _sidecar(direction: str, readout_s: float) -> dict[str, Any]:
    return {
        "Modality": "MR",
        "MagneticFieldStrength": 3.0,
        "EchoTime": 0.08,
        "RepetitionTime": 8.0,
        "PhaseEncodingDirection": direction,
        "TotalReadoutTime": readout_s,
    }


def _true_maps(
    head: Head, white: np.ndarray, bvals: np.ndarray, directions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """FA and MD (mm2/s) of the noise-free signal where there is white matter, 0 elsewhere."""
    there = head.maps["white"] > 0.01
    inside = Head(head.grid, {name: m[there] for name, m in head.maps.items()}, head.place[there])
    pairs = zip(directions, bvals, strict=True)
    signal = np.stack([diffusion_signal(inside, white[there], g, b) for g, b in pairs], axis=-1)
    eigenvalues, _ = fit_tensor(signal.astype(float), bvals, directions)
    maps = []
    for values in (fractional_anisotropy(eigenvalues), eigenvalues.mean(axis=-1)):
        full = np.zeros(head.grid.shape[:3])
        full[there] = values
        maps.append(full)
    return maps[0], maps[1]
