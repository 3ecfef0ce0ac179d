"""A choice that needs a package is refused where the package is missing, with the ways out."""

import pytest

from mndmri import packages
from mndmri.io import InputError


def config(*, mask=None, brain="deepbet", unwrapper="skimage"):
    return {"t1w": {"mask_pattern": mask, "brain_extraction": brain}, "qsm": {"unwrapper": unwrapper}}


@pytest.fixture(autouse=True)
def nothing_is_installed(monkeypatch):
    monkeypatch.setattr(packages, "find_spec", lambda name: None)


def test_without_torch_deepbet_is_refused_with_both_ways_out():
    with pytest.raises(InputError, match=r"needs torch and deepbet.*pip install.*template, which needs neither"):
        packages.check_packages(config())


def test_without_warpkit_romeo_is_refused():
    with pytest.raises(InputError, match="pip install warpkit"):
        packages.check_packages(config(brain="template", unwrapper="romeo"))


@pytest.mark.parametrize("given", [{"brain": "template"}, {"mask": "anat/*_mask.nii.gz"}])
def test_what_needs_no_package_is_fine_without_any(given):
    packages.check_packages(config(**given))
