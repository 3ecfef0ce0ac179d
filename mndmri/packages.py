"""Packages that a choice in the config needs, checked without importing them."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from mndmri.io import InputError


def check_packages(config: Mapping[str, Any]) -> None:
    """Raise `InputError` if a package that the config asks for is not installed.

    Parameters
    ----------
    config : mapping
        Resolved config.
    """
    if config["qsm"]["unwrapper"] == "romeo" and find_spec("warpkit") is None:
        raise InputError(
            "qsm.unwrapper: romeo needs the package warpkit, which is not installed; "
            "pip install warpkit, or set it to skimage"
        )
    own_masks = config["t1w"]["mask_pattern"] is not None
    if config["t1w"]["brain_extraction"] == "deepbet" and not own_masks:
        missing = [name for name in ("torch", "deepbet") if find_spec(name) is None]
        if missing:
            raise InputError(
                f"t1w.brain_extraction: deepbet needs {' and '.join(missing)}, which is not installed; "
                "pip install deepbet torch, or set it to template, which needs neither"
            )
