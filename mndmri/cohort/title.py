"""Name of the study, as its pages have it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mndmri.cohort.folders import DESCRIBED
from mndmri.io import InputError, read_json
from mndmri.provenance import SIMULATED


def study_title(config: Mapping[str, Any]) -> str:
    """``Name`` in the dataset's description, or the name of its folder; without a dataset, of the first table brought.

    Parameters
    ----------
    config : mapping
        Resolved config.
    """
    if config["simulation"]:
        return SIMULATED["Name"]  # the dataset is not there before the first run
    if not config["bids_dir"]:
        return Path(config["measures"][0]["file"]).stem
    folder = Path(config["bids_dir"]).resolve()
    try:
        described = read_json(folder / DESCRIBED)
    except InputError:  # a missing or broken description changes no number
        return folder.name
    name = described.get("Name") if isinstance(described, dict) else None
    return name.strip() if isinstance(name, str) and name.strip() else folder.name
