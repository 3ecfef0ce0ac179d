"""A choice that needs a package or a tool is refused where that is missing, with the ways out."""

import stat
import subprocess
import sys

import pytest

from mndmri import packages
from mndmri.io import InputError


def config(*, mask=None, brain="deepbet", unwrapper="skimage"):
    return {"t1w": {"mask_pattern": mask, "brain_extraction": brain}, "qsm": {"unwrapper": unwrapper}}


@pytest.fixture
def nothing_is_installed(monkeypatch):
    monkeypatch.setattr(packages, "find_spec", lambda name: None)


def test_without_torch_deepbet_is_refused_with_both_ways_out(nothing_is_installed):
    with pytest.raises(InputError, match=r"needs torch and deepbet.*pip install.*template, which needs neither"):
        packages.check_packages(config())


def test_without_warpkit_romeo_is_refused(nothing_is_installed):
    with pytest.raises(InputError, match="pip install warpkit"):
        packages.check_packages(config(brain="template", unwrapper="romeo"))


@pytest.mark.parametrize("given", [{"brain": "template"}, {"mask": "anat/*_mask.nii.gz"}])
def test_what_needs_no_package_is_fine_without_any(given, nothing_is_installed):
    packages.check_packages(config(**given))


# ---------------------------------------------------------------- command-line tools


def steps(*, modalities=("t1w", "dwi"), preprocessed=False, **chosen):
    dwi = {"denoise": True, "gibbs": True, "motion": True, "distortion": "auto", "preprocessed": preprocessed}
    return {"modalities": list(modalities), "dwi": dwi | chosen}


MRTRIX3 = {"denoise": "mrtrix3", "gibbs": "mrtrix3"}
FSL = {"motion": "fsl", "distortion": "fsl"}


def program(path, text="exit 0"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The one folder on the PATH, empty."""
    monkeypatch.delenv("FSLDIR", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin"


def test_the_built_in_methods_need_no_tool(folder):
    assert packages.check_tools(steps()) == {}
    assert packages.check_tools(steps(denoise=False, gibbs=False, motion=False, distortion=False)) == {}


def test_a_tool_that_is_not_there_is_told_with_its_key_and_the_built_in_way_all_in_one(folder):
    with pytest.raises(InputError) as error:
        packages.check_tools(steps(**MRTRIX3, **FSL))
    lines = str(error.value).splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("dwi.denoise: mrtrix3 needs dwidenoise of MRtrix3, which is not on the PATH")
    assert lines[0].endswith("or set dwi.denoise to true, which needs no other program")
    assert lines[2].startswith("dwi.motion: fsl needs eddy_openmp or eddy_cpu or eddy of FSL")
    assert "set dwi.distortion to reverse" in lines[3]


@pytest.mark.parametrize("given", [{"preprocessed": True}, {"modalities": ["t1w"]}])
def test_a_step_that_is_not_taken_needs_no_tool(folder, given):
    assert packages.check_tools(steps(**given, **MRTRIX3, **FSL)) == {}


def test_the_versions_of_the_tools_are_returned(folder, tmp_path):
    for name in ("dwidenoise", "mrdegibbs"):
        program(folder / name, f'echo "== {name} 3.0.4-12-gabc =="')
    for name in ("eddy_cpu", "topup"):
        program(folder / name)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/fslversion").write_text("6.0.7.4:abc\n")
    assert packages.check_tools(steps(**MRTRIX3, **FSL)) == {"MRtrix3": "3.0.4", "FSL": "6.0.7.4"}


def test_fsl_is_dated_where_its_folder_is_said_to_be(folder, tmp_path, monkeypatch):
    program(folder / "topup")
    monkeypatch.setenv("FSLDIR", str(tmp_path / "fsl"))
    with pytest.raises(InputError, match=r"the version of .*topup cannot be determined.*set FSLDIR to the folder"):
        packages.check_tools(steps(distortion="fsl"))
    (tmp_path / "fsl/etc").mkdir(parents=True)
    (tmp_path / "fsl/etc/fslversion").write_text("5.0.11\n")
    with pytest.raises(InputError, match=r"topup is of FSL 5.0.11, expected 6.0 or later; install a later one"):
        packages.check_tools(steps(distortion="fsl"))


def test_a_tool_that_is_too_old_is_told_with_both_versions(folder):
    program(folder / "dwidenoise", 'echo "== dwidenoise 0.3.16 =="')
    with pytest.raises(InputError, match=r"dwidenoise is of MRtrix3 0.3.16, expected 3.0 or later"):
        packages.check_tools(steps(denoise="mrtrix3"))


def test_a_program_of_that_name_that_is_no_such_tool_is_told(folder):
    program(folder / "dwidenoise", "echo hello")
    with pytest.raises(InputError, match=r"the version of .*dwidenoise cannot be determined"):
        packages.check_tools(steps(denoise="mrtrix3"))


def test_the_check_does_not_import_nipype():
    code = "import sys, mndmri.packages, mndmri.cohort, mndmri.cohort.config; sys.exit('nipype' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
