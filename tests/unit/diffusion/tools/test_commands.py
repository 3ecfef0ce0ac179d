"""Command-line tools: MRtrix3 run for real where it is installed, FSL's commands as they are built."""

import logging
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from mndmri.diffusion.gradients import Gradients, rotate
from mndmri.diffusion.tools import commands
from mndmri.grids import same_grid, to_canonical
from mndmri.io import InputError

mrtrix3 = pytest.mark.skipif(shutil.which("dwidenoise") is None, reason="MRtrix3 is not on the PATH")
SHAPE = (11, 12, 9)
SIGMA = 5.0
TILT = nb.affines.from_matvec(nb.eulerangles.euler2mat(x=0.2, y=-0.1))
AFFINE = TILT @ np.diag([2, 2.5, 3, 1])


def series(n=17, *, sigma=SIGMA):
    """A smooth, lopsided, noisy series on an oblique canonical grid."""
    x, y, z = np.indices(SHAPE) / 10
    decay = np.linspace(1, 0.4, n)
    clean = (200 + 60 * x - 40 * y + 30 * z)[..., None] * decay
    data = clean + np.random.default_rng(1).normal(0, sigma, clean.shape)
    return nb.Nifti1Image(data.astype(np.float32), AFFINE), clean


def gradients(n=17):
    vectors = np.random.default_rng(2).normal(size=(n, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[0] = 0
    return Gradients(np.r_[0.0, np.full(n - 1, 1000.0)], vectors)


def ball():
    """Mask of the middle."""
    away = np.indices(SHAPE) - (np.array(SHAPE) // 2)[:, None, None, None]
    return nb.Nifti1Image((np.linalg.norm(away, axis=0) < 4).astype(np.uint8), AFFINE)


# ---------------------------------------------------------------- MRtrix3


@mrtrix3
def test_dwidenoise_takes_the_noise_away_and_tells_how_much_there_was():
    dwi, clean = series()
    cleaned, noise = commands.dwidenoise(dwi)
    assert same_grid(cleaned, dwi) and cleaned.shape == dwi.shape and same_grid(noise, dwi)
    assert np.median(noise.get_fdata()) == pytest.approx(SIGMA, rel=0.1)
    assert np.std(cleaned.get_fdata() - clean) < 0.5 * SIGMA


@mrtrix3
def test_outside_the_mask_the_series_is_as_it_was_and_the_noise_is_0():
    dwi, _ = series()
    cleaned, noise = commands.dwidenoise(dwi, mask=ball())
    outside = ball().get_fdata() == 0
    np.testing.assert_array_equal(cleaned.get_fdata()[outside], dwi.get_fdata()[outside])
    assert np.all(noise.get_fdata()[outside] == 0) and np.all(noise.get_fdata()[~outside] > 0)
    assert not np.array_equal(cleaned.get_fdata()[~outside], dwi.get_fdata()[~outside])


@mrtrix3
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_mrdegibbs_damps_ringing_in_the_plane_of_the_slices_and_leaves_the_rest(axis):
    """A box, cut off in k-space along one axis in the plane: its ringing is damped, whichever axis the slices have."""
    along = 0 if axis == 1 else 1
    n = 32
    line = np.where((np.arange(4 * n) > 40) & (np.arange(4 * n) < 90), 100.0, 10.0)
    spectrum = np.fft.fftshift(np.fft.fft(line))
    cut = np.real(np.fft.ifft(np.fft.ifftshift(spectrum[2 * n - n // 2 : 2 * n + n // 2]))) / 4
    shape = [1, 1, 1, 1]
    shape[along] = n
    data = np.broadcast_to(cut.reshape(shape), [n if d == along else 8 for d in range(3)] + [2])
    dwi = nb.Nifti1Image(data.astype(np.float32), AFFINE)
    done = commands.mrdegibbs(dwi, slice_axis=axis)
    assert same_grid(done, dwi) and done.shape == dwi.shape
    flat = slice(n // 3 + 3, n // 3 + 9)  # inside the box, away from its edges
    lines = [np.moveaxis(image.get_fdata(), along, -1)[0, 0, 0] for image in (dwi, done)]
    assert np.ptp(lines[1][flat]) < 0.5 * np.ptp(lines[0][flat])
    np.testing.assert_allclose(commands.mrdegibbs(dwi, slice_axis=along).get_fdata(), data, atol=1e-3)


@mrtrix3
def test_left_stays_left():
    data = np.full((*SHAPE, 9), 100.0) + np.random.default_rng(3).normal(0, 1, (*SHAPE, 9))
    data[2, 3, 4] += 500
    dwi = nb.Nifti1Image(data.astype(np.float32), AFFINE)
    for done in (commands.dwidenoise(dwi)[0], commands.mrdegibbs(dwi)):
        assert np.unravel_index(done.get_fdata()[..., 0].argmax(), SHAPE) == (2, 3, 4)


@mrtrix3
@pytest.mark.real
def test_on_a_real_person_the_result_is_that_of_the_command_line(real_data, tmp_path):
    """The command is run on the series as the scanner stored it (LAS), the function on the canonical one."""
    stored = nb.load(real_data / "real/sub-philips01/dwi/sub-philips01_dwi.nii.gz").slicer[40:70, 50:81, 30:50]
    stored = nb.Nifti1Image(np.asarray(stored.dataobj, np.float32), stored.affine)
    nb.save(stored, tmp_path / "dwi.nii")
    command = ["dwidenoise", "-quiet", "-nthreads", "1", "-noise", "noise.nii", "dwi.nii", "out.nii"]
    subprocess.run(command, cwd=tmp_path, check=True)
    series, noise = commands.dwidenoise(to_canonical(stored))
    for name, mine in (("out", series), ("noise", noise)):
        theirs = to_canonical(nb.load(tmp_path / f"{name}.nii"))
        assert same_grid(theirs, mine)
        np.testing.assert_allclose(mine.get_fdata(), theirs.get_fdata(), rtol=1e-5)


@mrtrix3
def test_a_tool_that_fails_is_told_with_its_last_lines_and_what_does_without():
    with pytest.raises(InputError) as error:
        commands.dwidenoise(series()[0].slicer[..., 0])
    message = str(error.value)
    assert message.startswith("dwidenoise failed; its last lines:\n")
    assert "input image must be 4-dimensional" in message
    assert "set dwi.denoise to true, which does not need it" in message
    assert "Traceback" not in message


@mrtrix3
def test_nothing_is_left_where_the_job_runs_or_in_the_temporary_folder(tmp_path, monkeypatch):
    for name in ("here", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    commands.dwidenoise(series()[0])
    with pytest.raises(InputError):
        commands.dwidenoise(series()[0].slicer[..., 0])
    assert [list((tmp_path / name).iterdir()) for name in ("here", "temporary")] == [[], []]


def test_a_tool_that_is_not_there_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"(?s)mrdegibbs failed; its last lines:\n.*set dwi.gibbs to true"):
        commands.mrdegibbs(series()[0])


def test_nipype_is_told_not_to_call_home():
    code = "import os, mndmri.diffusion.tools.commands; assert os.environ['NIPYPE_NO_ET']"
    environment = {key: value for key, value in os.environ.items() if key != "NIPYPE_NO_ET"}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


# ---------------------------------------------------------------- FSL's command lines


def options(command, folder):
    """Options of a command line, with the folder taken away."""
    words = command.replace(f"{folder}/", "").replace("'", "").split()
    return words[0], {key: value for key, _, value in (word.partition("=") for word in words[1:])}


@pytest.mark.parametrize(
    ("axis", "polarity", "lines"),
    [
        (1, -1, "0 -1 0 0.021\n0 1 0 0.022\n"),
        (1, 1, "0 1 0 0.021\n0 -1 0 0.022\n"),
        (0, 1, "-1 0 0 0.021\n1 0 0 0.022\n"),
        (0, -1, "1 0 0 0.021\n-1 0 0 0.022\n"),
    ],
)
def test_the_command_line_of_topup_and_its_files(tmp_path, axis, polarity, lines):
    dwi, _ = series(2)
    b0, reverse = dwi.slicer[..., 0], dwi.slicer[..., 1]
    tool = commands.topup_command(b0, reverse, tmp_path, axis=axis, polarity=polarity, readouts_s=(0.021, 0.022))
    command, given = options(tool.cmdline, tmp_path)
    assert command == "topup"
    assert given["--imain"] == "pair.nii.gz" and given["--datain"] == "acqparams.txt"
    assert given["--config"] == "b02b0.cnf" and given["--fout"] == "field.nii.gz" and given["--out"] == "topup"
    assert (tmp_path / "acqparams.txt").read_text() == lines
    pair = nb.load(tmp_path / "pair.nii.gz")
    assert pair.shape == (12, 12, 10, 2)  # even, for the coarse levels
    assert nb.aff2axcodes(pair.affine) == ("L", "A", "S")
    np.testing.assert_array_equal(pair.get_fdata()[:11, :, :9, 1][::-1], reverse.get_fdata())


def eddy_command(folder, **given):
    keys = {"axis": 1, "polarity": -1, "readout_s": 0.05, "outlier_sd": 4.0, "distortion": None}
    return commands.eddy_command(series()[0], gradients(), ball(), folder, **keys | {"reverse_readout_s": None} | given)


def test_the_command_line_of_eddy_and_its_files(tmp_path):
    command, given = options(eddy_command(tmp_path).cmdline, tmp_path)
    assert command == "eddy_openmp"
    files = ("imain", "mask", "acqp", "index", "bvals", "bvecs", "out")
    assert [given[f"--{name}"] for name in files] == [
        "dwi.nii.gz", "mask.nii.gz", "acqparams.txt", "index.txt", "bvals", "bvecs", "eddy",
    ]  # fmt: skip
    assert given["--slm"] == "linear" and "--data_is_shelled" in given
    assert "--repol" in given and given["--ol_nstd"] == "4"
    assert "--topup" not in given
    assert (tmp_path / "acqparams.txt").read_text() == "0 -1 0 0.05\n"
    assert (tmp_path / "index.txt").read_text().split() == ["1"] * 17
    assert (tmp_path / "bvals").read_text().split() == ["0"] + ["1000"] * 16
    assert eddy_command(tmp_path).inputs.environ["OMP_NUM_THREADS"] == "1"


def test_eddy_looks_for_no_outliers_if_none_are_asked_for(tmp_path):
    _, given = options(eddy_command(tmp_path, outlier_sd=None).cmdline, tmp_path)
    assert "--repol" not in given and "--ol_nstd" not in given
    _, given = options(eddy_command(tmp_path, outlier_sd=3.5).cmdline, tmp_path)
    assert given["--ol_nstd"] == "3.5"


def test_eddy_is_given_the_gradients_in_the_axes_of_what_it_gets(tmp_path):
    """In an image that runs to the left, FSL's b-vectors are those of the array axes, none reversed."""
    eddy_command(tmp_path)
    rows = np.loadtxt(tmp_path / "bvecs")
    left_anterior_superior = TILT[:3, :3] @ np.diag([-1, 1, 1])
    np.testing.assert_allclose((left_anterior_superior @ rows).T, gradients().bvecs, atol=1e-6)


def test_eddy_is_given_what_topup_found_and_the_lines_of_the_pair(tmp_path):
    found = commands.Topup(ball(), b"coefficients", "0 0 0 0 0 0\n1 0 0 0 0 0\n")
    tool = eddy_command(tmp_path, distortion=found, reverse_readout_s=0.06)
    _, given = options(tool.cmdline, tmp_path)
    assert given["--topup"] == "topup"
    assert (tmp_path / "topup_fieldcoef.nii.gz").read_bytes() == b"coefficients"
    assert (tmp_path / "topup_movpar.txt").read_text() == found.movement
    assert (tmp_path / "acqparams.txt").read_text() == "0 -1 0 0.05\n0 1 0 0.06\n"


def test_eddy_is_called_by_the_name_that_is_on_the_path(tmp_path, monkeypatch):
    stand_in(tmp_path / "bin/eddy_cpu", "", monkeypatch)
    assert options(eddy_command(tmp_path).cmdline, tmp_path)[0] == "eddy_cpu"


def test_a_series_of_sagittal_slices_is_refused():
    dwi, _ = series()
    thick = nb.Nifti1Image(dwi.get_fdata(), TILT @ np.diag([4, 2, 2, 1]))
    with pytest.raises(InputError, match="the slices lie across axis 0 of the series, and FSL's eddy assumes"):
        commands.eddy(thick, gradients(), ball(), axis=1, polarity=1)


# ---------------------------------------------------------------- FSL's files, written by a stand-in


def stand_in(path, code, monkeypatch):
    """A program that does what a piece of Python says, on the PATH."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"#!{sys.executable}\nimport sys\nimport nibabel as nb\nimport numpy as np\n"
        f"given = dict(word.partition('=')[::2] for word in sys.argv[1:])\n{code}\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("FSLDIR", raising=False)


# A field, Hz, that rises with each axis of the image as FSL gets it.
TOPUP = """
pair = nb.load(given['--imain'])
x, y, z = np.indices(pair.shape[:3])
nb.save(nb.Nifti1Image((100.0 * x + 10 * y + z).astype('f4'), pair.affine), given['--fout'])
for name in ('fieldcoef', 'corrected', 'jac_01', 'jac_02'):
    nb.save(pair, f"{given['--out']}_{name}.nii.gz")
nb.save(pair, given['--iout'])
for prefix in (given['--jacout'], given['--dfout']):
    for n in (1, 2):
        nb.save(pair, f'{prefix}_{n:02d}.nii.gz')
for n in (1, 2):
    np.savetxt(f"{given['--rbmout']}_{n:02d}.mat", np.eye(4))
np.savetxt(f"{given['--out']}_movpar.txt", np.zeros((2, 6)))
open(given['--logout'], 'w').close()
print('topup has run')
"""


@pytest.mark.parametrize("polarity", [1, -1])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_field_of_topup_becomes_a_displacement_in_voxels_of_the_canonical_grid(
    tmp_path, monkeypatch, caplog, axis, polarity
):
    stand_in(tmp_path / "topup", TOPUP, monkeypatch)
    dwi, _ = series(2)
    b0, reverse = dwi.slicer[..., 0], dwi.slicer[..., 1]
    with caplog.at_level(logging.INFO):
        found = commands.topup(b0, reverse, axis=axis, polarity=polarity, readouts_s=(0.02, 0.03))
    x, y, z = np.indices(SHAPE)
    field_hz = 100.0 * (SHAPE[0] - 1 - x) + 10 * y + z  # its x runs to the left
    np.testing.assert_allclose(found.displacement.get_fdata(), field_hz * 0.02 * polarity, rtol=1e-6)
    assert same_grid(found.displacement, b0)
    assert found.movement.count("\n") == 2
    assert "topup --config=b02b0.cnf" in caplog.text and "topup has run" in caplog.text


EDDY = """
series = nb.load(given['--imain'])
n, out = series.shape[3], given['--out']
nb.save(nb.Nifti1Image(series.get_fdata(dtype='f4') + 1, series.affine), f'{out}.nii.gz')
rows = np.loadtxt(given['--bvecs'])
turn = np.array([[np.cos(.1), -np.sin(.1), 0], [np.sin(.1), np.cos(.1), 0], [0, 0, 1]])
rows[:, 5:] = turn @ rows[:, 5:]
np.savetxt(f'{out}.eddy_rotated_bvecs', rows)
movement = np.zeros((n, 16))
movement[3:, 1] = 1.5
movement[5:, 5] = .1
np.savetxt(f'{out}.eddy_parameters', movement)
outliers = np.zeros((n, series.shape[2]), int)
outliers[4, 6] = 1
np.savetxt(f'{out}.eddy_outlier_map', outliers, fmt='%d', comments='', header='One row per scan, one column per slice')
"""


def test_what_eddy_made_comes_back_on_the_grid_and_in_the_axes_of_the_series(tmp_path, monkeypatch):
    stand_in(tmp_path / "eddy_openmp", EDDY, monkeypatch)
    dwi, _ = series()
    done = commands.eddy(dwi, gradients(), ball(), axis=1, polarity=1)
    assert same_grid(done.series, dwi)
    np.testing.assert_allclose(done.series.get_fdata(), dwi.get_fdata() + 1, rtol=1e-6)
    # a turn about z, seen along axes of which x runs to the left, is the opposite turn in the world
    opposite = np.array([[np.cos(0.1), np.sin(0.1), 0], [-np.sin(0.1), np.cos(0.1), 0], [0, 0, 1]])
    world = TILT[:3, :3] @ opposite @ TILT[:3, :3].T
    np.testing.assert_allclose(done.gradients.bvecs[:5], gradients().bvecs[:5], atol=1e-6)
    np.testing.assert_allclose(done.gradients.bvecs[5:], gradients().bvecs[5:] @ world.T, atol=1e-6)
    along_y = TILT[:3, :3] @ [0, 1.5, 0]
    np.testing.assert_allclose(done.transforms[2], np.eye(4), atol=1e-9)
    np.testing.assert_allclose(done.transforms[3][:3, 3], along_y, atol=1e-6)
    # eddy turns its b-vectors back by the movement that it writes, and so do we
    turned = rotate(gradients(), done.transforms)
    np.testing.assert_allclose(done.gradients.bvecs[5:], turned.bvecs[5:], atol=1e-6)
    assert np.argwhere(done.outliers).tolist() == [[4, 6]] and done.outliers.shape == (17, 9)


def test_without_a_map_of_outliers_none_were_replaced(tmp_path, monkeypatch):
    stand_in(tmp_path / "eddy_openmp", EDDY.rpartition("np.savetxt")[0], monkeypatch)
    done = commands.eddy(series()[0], gradients(), ball(), axis=1, polarity=1, outlier_sd=None)
    assert not done.outliers.any()


def test_eddy_that_fails_says_what_it_said(tmp_path, monkeypatch):
    stand_in(tmp_path / "eddy_openmp", "sys.exit('EDDY: out of memory')", monkeypatch)
    with pytest.raises(
        InputError, match=r"eddy_openmp failed; its last lines:\nEDDY: out of memory\ncorrect .*dwi.motion"
    ):
        commands.eddy(series()[0], gradients(), ball(), axis=1, polarity=1)
    assert not list(Path.cwd().glob("crash*"))
