"""One image under two names: a scan that was copied, or converted twice, counts twice."""

import gzip
import math
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from mndmri.cohort.records import Study
from mndmri.io import load_image
from mndmri.tables.words import name_people

_BLOCK = 2**22  # bytes read at a time


def content_of(path: str) -> str | None:
    """Check sum and size of what an image file holds, uncompressed; None for a file that is no NIfTI image.

    A compressed file ends with both (RFC 1952), and is not read for them, unless it was compressed in several pieces
    (BGZF, mgzip): then they are those of the last piece, which is alike in many files.

    Parameters
    ----------
    path : str
        Of an existing image.
    """
    if path.endswith(".nii.gz"):
        with Path(path).open("rb") as file:
            file.seek(-min(8, Path(path).stat().st_size), 2)
            end = file.read()
        if end[4:] == _low_bytes(_size_by_header(path)):
            return end.hex()
        with gzip.open(path) as file:
            return _content(file)
    if not path.endswith(".nii"):
        return None
    with Path(path).open("rb") as file:
        return _content(file)


def _content(file: BinaryIO | gzip.GzipFile) -> str:
    """Check sum and size of an open file, as the end of a compressed one has them."""
    total, size = 0, 0
    while block := file.read(_BLOCK):
        total, size = zlib.crc32(block, total), size + len(block)
    return (_low_bytes(total) + _low_bytes(size)).hex()


def _size_by_header(path: str) -> int:
    """Bytes of an image file, uncompressed, that its header promises."""
    image = load_image(path)
    proxy: Any = image.dataobj
    return int(proxy.offset) + math.prod(image.shape) * image.get_data_dtype().itemsize


def _low_bytes(number: int) -> bytes:
    return (number % 2**32).to_bytes(4, "little")


def find_copies(study: Study, contents: Mapping[str, str]) -> list[str]:
    """Images that are the same in several participants, or twice in one, a line each.

    Parameters
    ----------
    study : Study
        As returned by `mndmri.cohort.settle`.
    contents : mapping
        Path of an image to what `content_of` says of it.
    """
    places: dict[str, dict[str, str]] = {}
    for who, scans in study.scans.items():
        for path in dict.fromkeys(path for scan in scans.values() for path in scan.all_files()):
            if path in contents:
                places.setdefault(contents[path], {})[path] = who
    lines = []
    for same in (own for own in places.values() if len(own) > 1):
        names, people = _names(same), list(dict.fromkeys(same.values()))
        if len(people) > 1:
            lines.append(
                f"{name_people(people)} have the same image ({names}): one scan under several names counts as often; "
                "check where the files come from"
            )
        else:
            lines.append(
                f"{people[0]}: {names} are the same image under several names; if they should be different scans, "
                "convert them again from DICOM"
            )
    return lines


def _names(paths: Iterable[str]) -> str:
    """The first two files by name."""
    first, second, *others = [Path(path).name for path in paths]
    return f"{first}, {second}" + (f" and {len(others)} more" if others else "")
