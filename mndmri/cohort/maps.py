"""Maps that a study declares: the declarations, which file is a participant's, and what may be wrong with it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mndmri.cohort.records import Scan
from mndmri.cohort.search import Found, matches, sidecars, too_many
from mndmri.cohort.voxels import check_magnitude, look_at
from mndmri.gradient_echo.chimap import doubt_unit
from mndmri.grids import same_grid
from mndmri.io import load_image
from mndmri.phantom.plan import MAP_FILES
from mndmri.tables.maps import BUILTIN, SCANS, maps_of, measures_of

# Names that mean something else as a modality, as a file or as a folder of the results.
RESERVED = ("all", "dwi", "swi", "qsm", "r2star", *BUILTIN, "vbm", "tbm", "fa", "figures", "site", "mean")
_NAME = re.compile(r"[a-z][a-z0-9]{0,23}")
_FRACTION_UNITS = ("%", "percent")
_MOST = 0.99  # share of the voxels with a value that a limit is checked for


def add_maps(config: dict[str, Any]) -> None:
    """Put the maps of a config among its modalities, and what a higher value of them means among its directions.

    Of a config that has them there already, as ``provenance.json`` keeps it, nothing changes.
    """
    config["modalities"] = [*without_maps(config), *config["maps"]]
    directions = {
        f"{name} {measure}": declared["higher_is"]
        for name, declared in config["maps"].items()
        if declared["higher_is"]
        for measure in measures_of(declared)
    }
    config["higher_is"] = directions | config["higher_is"]


def without_maps(config: Mapping[str, Any]) -> Any:
    """Modalities of a config less the maps that it declares, of which alone the schema knows the names."""
    modalities, maps = config["modalities"], config["maps"]
    if not (isinstance(modalities, list) and isinstance(maps, Mapping)):
        return modalities  # told by the schema
    return [name for name in modalities if not isinstance(name, str) or name in RESERVED or name not in maps]


def wrong_declarations(config: Mapping[str, Any]) -> list[str]:
    """What is wrong with the declarations of maps, as the user wrote them."""
    problems = []
    for name, declared in config["maps"].items():
        where = f"maps.{name}"
        if not _NAME.fullmatch(name):
            problems.append(
                f"{where}: '{name}' becomes the modality of its measures and a part of file names; write small letters "
                "and digits alone, a letter first, 24 at most, as mtr or cbf"
            )
        elif name in RESERVED:
            problems.append(f"{where}: the name '{name}' has a meaning of its own; write another, as my{name}")
        target = declared["aligned"]
        if target in SCANS and target not in config["modalities"]:
            problems.append(
                f"{where}.aligned: {target} is not in modalities ({', '.join(config['modalities'])}); add it, or set "
                "aligned to t1w, template or null"
            )
        if declared["aligned"] and declared["register"]:
            problems.append(
                f"{where}.register: a map that is aligned ({declared['aligned']}) is not registered; remove one of the "
                "two"
            )
        limits = declared["range"]
        if limits and not limits[0] < limits[1]:
            problems.append(f"{where}.range: found {limits}, expected the lower limit first")
        if declared["quantity"] != "value" and declared["unit"] != "1":
            problems.append(
                f"{where}.unit: a {declared['quantity']} map is divided by a reference and has no unit; remove unit, "
                "or set quantity to value"
            )
    if config["simulation"] is not None:
        simulated = [name for name in MAP_FILES if name not in BUILTIN]
        problems += [
            f"maps.{name}: is not simulated; of maps {' and '.join(simulated)} are, remove it, or simulation"
            for name in config["maps"]
            if name not in simulated
        ]
    if config["maps"] and config["measures"]:
        problems.append("maps: a study of tables has no images; remove maps, or measures")
    return problems


def missing_folders(config: Mapping[str, Any]) -> list[str]:
    """Folders of maps that are not there, a line each."""
    return [
        f"maps.{name}.dir: no such folder {own['dir']}; correct the path"
        for name, own in config["maps"].items()
        if own["dir"] and not Path(own["dir"]).is_dir()
    ]


def find_map(name: str, folder: Path, root: Path, config: Mapping[str, Any]) -> Found:
    """A participant's map and what it is registered by, if there is any."""
    declared = maps_of(config)[name]
    within = Path(declared["dir"]) / folder.relative_to(root) if declared["dir"] else folder
    images = matches(within, [declared["pattern"]])
    if not images:
        return Found({}, [])
    if len(images) > 1:
        return Found({}, [too_many(images, within, name if name in BUILTIN else f"maps.{name}", "one image is used")])
    files = {"image": images, "json": sidecars(images, Path(declared["dir"] or root))}
    if declared["register"]:
        files["register"] = matches(within, [declared["register"]]) or matches(folder, [declared["register"]])
        if len(files["register"]) != 1:
            listed = ", ".join(path.name for path in files["register"]) or "none"
            return Found(
                {},
                [
                    f"{name}: {len(files['register'])} files match maps.{name}.register {declared['register']} "
                    f"({listed}); one is used, correct the pattern"
                ],
            )
    return Found(files, [])


def check_map(scan: Scan) -> list[str]:
    """What is wrong with the files of a map, a line each."""
    [image], declared, name = scan.files["image"], scan.declared or {}, scan.modality
    if declared["quantity"] == "signal":
        problems = check_magnitude(image, f"{name.upper()} image")
    else:
        problems = list(look_at(image, f"{name} map").problems)
    if not problems:
        problems = [f"{Path(image).name}: {text}" for text in _doubts(load_image(image).get_fdata(), declared)]
    for path in scan.files.get("register", ()):
        problems += look_at(path, "image to register by").problems
        if not problems and not same_grid(load_image(image), load_image(path)):
            problems.append(
                f"{Path(path).name} is not on the grid of {Path(image).name}; maps.{name}.register names an image of "
                "the same scan, or null"
            )
    return problems


def _doubts(values: np.ndarray, declared: Mapping[str, Any]) -> list[str]:
    """What in the numbers of a map contradicts its declaration."""
    known = values[np.isfinite(values) & (values != 0)]
    if known.size == 0:
        return ["every voxel is 0 or missing; export the map again, or leave the participant without it"]
    if np.ptp(known) == 0:
        return [f"every voxel with a value is {known[0]:g}; this is a mask, not a map: correct the pattern"]
    low, high = (float(value) for value in np.quantile(known, [1 - _MOST, _MOST]))
    unit = str(declared["unit"])
    if unit in _FRACTION_UNITS and low >= 0 and high <= 1:
        return [
            f"declared in {unit}, and 99% of its values are at most {high:.3g}: they are fractions; set the unit to "
            "'1', or multiply the map by 100"
        ]
    if unit == "ppm" and (doubt := doubt_unit(values)):
        return [doubt]
    if declared["range"]:
        least, most = declared["range"]
        outside = float(np.mean((known < least) | (known > most)))
        if outside > 1 - _MOST:
            return [
                f"{outside:.0%} of its voxels are outside the declared range of {least:g} to {most:g}"
                f"{'' if unit == '1' else f' {unit}'} (most are {low:.3g} to {high:.3g}); correct unit, or range"
            ]
    return []
