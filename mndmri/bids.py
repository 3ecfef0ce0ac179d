"""What BIDS says about file names: entities, and files inherited from higher folders."""

from pathlib import Path
from typing import Any

from mndmri.io import InputError, read_json


def strip_extension(name: str) -> str:
    """File name up to its first dot (BIDS labels hold no dots)."""
    return name.split(".", 1)[0]


def entities(path: str | Path) -> tuple[dict[str, str], str]:
    """Entities and suffix in a BIDS file name.

    Returns
    -------
    entities : dict
        Such as ``{"sub": "01", "echo": "1"}``, in the order of the name.
    suffix : str
        Such as ``MEGRE``; empty if the name ends with an entity.
    """
    found: dict[str, str] = {}
    suffix = ""
    for part in strip_extension(Path(path).name).split("_"):
        key, dash, value = part.partition("-")
        if dash:
            found[key] = value
        else:
            suffix = part
    return found, suffix


def inherited_files(path: str | Path, extension: str, bids_dir: str | Path) -> list[Path]:
    """Files that apply to an image by the inheritance principle, the most general first.

    Such a file lies in the image's folder or in one above it, up to the dataset's root,
    has the image's suffix, and no entity that the image lacks.

    Parameters
    ----------
    path : path
        The image, inside ``bids_dir``.
    extension : str
        ``.json``, ``.bval`` or ``.bvec``.
    bids_dir : path
        Root of the dataset.

    Returns
    -------
    list of paths
        The last one is the nearest: it decides where files disagree.

    Raises
    ------
    InputError
        If the image lies outside the dataset.
    """
    path, root = Path(path), Path(bids_dir)
    try:
        steps = path.parent.relative_to(root).parts
    except ValueError:
        raise InputError(f"{path}: not inside the BIDS dataset {root}; check bids_dir and the patterns") from None
    own, suffix = entities(path)
    applying = []
    for depth in range(len(steps) + 1):
        here = []
        for candidate in root.joinpath(*steps[:depth]).glob(f"*{extension}"):
            theirs, their_suffix = entities(candidate)
            if their_suffix == suffix and theirs.items() <= own.items():
                here.append((len(theirs), candidate.name, candidate))
        applying += [candidate for *_, candidate in sorted(here)]
    return applying


def sidecar(path: str | Path, bids_dir: str | Path) -> dict[str, Any]:
    """Metadata of an image: its JSON sidecars merged, the nearest file winning key by key."""
    merged: dict[str, Any] = {}
    for file in inherited_files(path, ".json", bids_dir):
        content = read_json(file)
        if not isinstance(content, dict):
            raise InputError(f"{file}: holds a {type(content).__name__}, a sidecar is an object of keys; correct it")
        merged |= content
    return merged
