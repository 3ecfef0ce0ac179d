"""Reading and writing of tables, images and JSON: the only module that touches files.

Everything is written beside its final name and then moved into place, so that a file
that exists is a file that is complete.
"""

import csv
import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from mndmri.units import named_after

MISSING = "n/a"  # BIDS specification, "Tabular files"
LINE = "line"  # name of an index of the lines of a file
SIGNIFICANT_DIGITS = 6
EXACT = 17  # significant digits that tell any two numbers apart
# a file's entity space-, where it is not one of the person's own
_TEMPLATE_SPACE = re.compile(r"(^|_)space-(?!(dwi|swi|T1w)_)")


class InputError(ValueError):
    """Input that cannot be used; the message states what was found, what was expected and what to do."""


def _write_in_place(path: str | Path, write: Callable[[Path], object]) -> None:
    """Call ``write`` on a temporary name in the target's folder, then rename."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
        unfinished = Path(folder) / path.name
        write(unfinished)
        unfinished.replace(path)


def read_table(path: str | Path, *, text: Iterable[str] = (), numbered: bool = False) -> pd.DataFrame:
    """Table in a BIDS tab-separated file.

    Parameters
    ----------
    path : path
        Tab-separated, UTF-8, with a header line; ``n/a`` and empty cells are missing.
    text : iterable of str
        Columns that stay text where they look like numbers, besides ``participant_id``: 01 is not 1.
        Those that the table lacks are ignored.
    numbered : bool
        Whether the index is the line of each row in the file, named `LINE`.

    Returns
    -------
    DataFrame
        Numbers as numbers, all else as text.

    Raises
    ------
    InputError
        If the file is absent, empty or not a table.
    """
    lines, rows = _rows_of(Path(path))
    table = pd.read_csv(
        StringIO("\n".join("\t".join(row) for row in rows)),
        sep="\t",
        na_values=[MISSING],
        keep_default_na=False,
        dtype=dict.fromkeys(["participant_id", *text], str),
        quoting=csv.QUOTE_NONE,
        skip_blank_lines=False,  # of one column, whose cell is missing
    ).replace("", np.nan)
    return table.set_axis(pd.Index(lines, name=LINE)) if numbered else table


def _rows_of(path: Path) -> tuple[list[int], list[list[str]]]:
    """Lines of a table's rows, and cells of its header and rows, each row as long as the header.

    A line is a row, whatever quotation marks stand in it. Cells that are empty and beyond the header's last are
    left out; a row that ends before is filled up.
    """
    try:
        lines = re.split(r"\r\n|\r|\n", path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give the path of a tab-separated table") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of a tab-separated table") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8 ({error}); export it again as TSV") from error
    numbered = [(number, _cells_of(line)) for number, line in enumerate(lines, 1) if line.strip()]
    if not numbered:
        raise InputError(f"{path}: not a tab-separated table with a header line: it is empty; export it again as TSV")
    header = numbered[0][1]
    while not header[-1]:
        header = header[:-1]
    for name, mark in (("commas", ","), ("semicolons", ";")):
        if len(header) == 1 and mark in header[0]:
            raise InputError(
                f"{path}: its columns are separated by {name}, expected tabs ({header[0][:60]}); save it as "
                "tab-separated text"
            )
    twice = [name for name, n in Counter(header).items() if n > 1]
    if twice:
        raise InputError(f"{path}: has {header.count(twice[0])} columns '{twice[0]}'; keep one, or rename the others")
    if "" in header:
        raise InputError(f"{path}: column {header.index('') + 1} has no name; write one in the header line")
    filled = [header]
    for number, row in numbered[1:]:
        if any(cell.strip() for cell in row[len(header) :]):
            raise InputError(
                f"{path}: row {number} has {len(row)} cells, the header {len(header)}; write one cell for each column, "
                "with a tab between them"
            )
        filled.append([*row, *[""] * len(header)][: len(header)])
    return [number for number, _ in numbered[1:]], filled


def _cells_of(line: str) -> list[str]:
    """Cells of a row. Quotation marks round a cell are the writer's; one that is not closed is a character."""
    if '"' in line:
        try:
            return [cell.replace("\t", " ") for cell in next(csv.reader([line], delimiter="\t", strict=True))]
        except csv.Error:
            pass
    return line.split("\t")


def _as_text(value: object, digits: int = SIGNIFICANT_DIGITS) -> object:
    """Six significant digits for a finite float, ``n/a`` for what is missing."""
    if isinstance(value, float | np.floating):
        if not np.isfinite(value):
            return MISSING
        # a number's own text has the fewest digits that are read as the same number
        return repr(float(value)).removesuffix(".0") if digits >= EXACT else f"{value:.{digits}g}"
    if value is None or value is pd.NA or value is pd.NaT:
        return MISSING
    if isinstance(value, str):
        # a tab or line break inside a cell would shift every column after it
        return " ".join(value.split()) or MISSING
    return value


def by_participant(paths: Iterable[str | Path]) -> dict[str, str]:
    """Files of single participants, by the participant that each is named after.

    Raises
    ------
    InputError
        If two are of the same one.
    """
    return _by(paths, lambda name: name.split("_")[0], "participant")


def by_unit(paths: Iterable[str | Path]) -> dict[str, str]:
    """Files of single participants or visits, by the unit that each is named after (`mndmri.units`).

    Raises
    ------
    InputError
        If two are of the same one.
    """
    return _by(paths, named_after, "participant and visit")


def _by(paths: Iterable[str | Path], named: Callable[[str], str], what: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in map(str, paths):
        who = named(Path(path).name)
        if who in found:
            raise InputError(f"{path} and {found[who]} are both of {who}; expected one file for each {what}")
        found[who] = path
    return found


def read_own_tables(paths: Iterable[str | Path]) -> dict[str, pd.DataFrame]:
    """Tables of single participants, by the participant that each file is named after."""
    return {who: read_table(path) for who, path in by_participant(paths).items()}


def read_unit_tables(paths: Iterable[str | Path]) -> dict[str, pd.DataFrame]:
    """Tables of single participants or visits, by the unit that each file is named after."""
    return {unit: read_table(path) for unit, path in by_unit(paths).items()}


def write_table(table: pd.DataFrame, path: str | Path, *, digits: int = SIGNIFICANT_DIGITS) -> None:
    """Write a tab-separated table: ``n/a`` for missing, six significant digits, `EXACT` where it is read to compute."""
    text = table.astype(object).map(partial(_as_text, digits=digits))
    _write_in_place(path, lambda to: text.to_csv(to, sep="\t", index=False, lineterminator="\n"))


def read_json(path: str | Path) -> dict[str, Any]:
    """Contents of a JSON file, an `InputError` naming the file if it is not one."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    # numbers of thousands of digits are a ValueError, lists in lists in lists a RecursionError
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON ({error}); correct or delete it") from error


def write_json(data: Mapping[str, Any], path: str | Path) -> None:
    """Write JSON, indented, keys in the order given."""
    write_text(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n", path)


def read_text(path: str | Path) -> str:
    """Contents of a text file, an `InputError` naming the file if it is not one."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file ({error})") from error


def write_text(text: str, path: str | Path) -> None:
    """Write UTF-8 text."""
    _write_in_place(path, lambda to: to.write_text(text, encoding="utf-8"))


def read_bytes(path: str | Path) -> bytes:
    """Contents of a file as they are."""
    return Path(path).read_bytes()


def write_bytes(data: bytes, path: str | Path) -> None:
    """Write a file as it is given."""
    _write_in_place(path, lambda to: to.write_bytes(data))


def load_image(path: str | Path) -> SpatialImage:
    """Image whose header has been read and whose data will be read when asked for.

    Raises
    ------
    InputError
        If the file is absent or is not an image.
    """
    try:
        image = nb.load(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except Exception as error:  # nibabel raises many kinds for a broken header
        raise InputError(f"{path}: cannot be read as an image ({error}); convert it again") from error
    if not isinstance(image, SpatialImage):
        raise InputError(f"{path}: holds a {type(image).__name__}, not an image on a voxel grid; convert it to NIfTI")
    # volumes of a compressed image are read one after the other, not each from the start of the file
    return image.from_filename(path, keep_file_open=True) if image.ndim == 4 else image


def save_image(image: SpatialImage, path: str | Path, *, dtype: Any = np.float32, scale: float = 1.0) -> None:
    """Write a NIfTI image, the affine as both sform and qform.

    Parameters
    ----------
    image : SpatialImage
    path : path
        Ends in ``.nii`` or ``.nii.gz``.
    dtype : data type
        On disk; ``float32`` for maps, ``uint8`` or ``int16`` for masks and labels.
    scale : float
        What one step of the type on disk is worth: probabilities fit in ``uint8`` at 0.01.
    """
    data = np.asanyarray(image.dataobj)
    # Fortran order, as in the file, and volume by volume: of all regions of an atlas each copy takes a GB
    stored = np.empty(data.shape, dtype, order="F")
    for volume in [(..., n) for n in range(data.shape[3])] if data.ndim == 4 else [(...,)]:
        part = data[volume]
        if scale != 1.0:
            part = part / scale
        if np.issubdtype(dtype, np.integer) and not np.issubdtype(part.dtype, np.integer):
            part = np.rint(part)
        stored[volume] = part.astype(dtype)
    nifti = nb.Nifti1Image(stored, image.affine)
    nifti.header.set_slope_inter(scale, 0)
    nifti.header.set_zooms(image.header.get_zooms()[: data.ndim])
    # code 4: template space is for images in it to claim; 1, scanner, is true of the rest
    code = 4 if _TEMPLATE_SPACE.search(Path(path).name) else 1
    nifti.set_sform(image.affine, code)
    nifti.set_qform(image.affine, code)
    nifti.header.set_xyzt_units("mm")
    _write_in_place(path, lambda to: nb.save(nifti, to))


def load_optional(paths: str | Sequence[str]) -> SpatialImage | None:
    """Image of an input that may be absent: of the one file that is named, None for an empty list."""
    names = [paths] if isinstance(paths, str) else list(paths)
    if len(names) > 1:
        raise InputError(f"one image is expected, found {', '.join(names)}")
    return load_image(names[0]) if names else None


def load_parts(files: Mapping[str, str | Sequence[str]], of: str) -> dict[str, SpatialImage]:
    """Images of the inputs that are named ``<of>_<part>``, by part; without those that are absent."""
    named = {name: load_optional(paths) for name, paths in files.items() if name.startswith(f"{of}_")}
    return {name.removeprefix(f"{of}_"): image for name, image in named.items() if image is not None}


def load_field(path: str | Path) -> SpatialImage:
    """Displacement field as `save_field` or ANTs wrote it, float32, in memory, so that the file may go."""
    image = load_image(path)
    image.header.set_data_dtype(np.float32)
    return nb.Nifti1Image(np.asarray(image.dataobj, np.float32), image.affine, image.header)


def save_field(field: SpatialImage, path: str | Path) -> None:
    """Write a displacement field (ITK's format: 5D, vector intent), as ANTs reads it."""
    _write_in_place(path, lambda to: nb.save(field, to))


def load_streamlines(path: str | Path) -> list[np.ndarray]:
    """Streamlines of a TrackVis file, points in world coordinates (mm), shape (n, 3) each."""
    return list(nb.streamlines.load(path).streamlines)


def load_matrix(path: str | Path) -> np.ndarray:
    """Rigid or affine matrices, shape (4, 4) or (N, 4, 4), written by `save_matrix`."""
    rows = np.loadtxt(path, ndmin=2)
    return rows.reshape(4, 4) if len(rows) == 4 else rows.reshape(-1, 4, 4)


def save_matrix(matrix: np.ndarray, path: str | Path) -> None:
    """Write matrices of world points (RAS, mm) as text, four lines each, in full precision."""
    text = "\n".join(" ".join(f"{v:.17g}" for v in line) for line in np.reshape(matrix, (-1, 4)))
    write_text(text + "\n", path)
