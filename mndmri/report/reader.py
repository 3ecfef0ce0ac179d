"""The page on which motor bands are rated by eye: one file, that knows cases by their numbers alone."""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from mndmri.report.pages import render

UNITS = {"swi": "", "mip": "", "qsm": "ppm"}
# Of lossy WebP, 0 to 100: grey levels of the demo's slices differ by 1.4 of 255 (root mean square) from those before.
_QUALITY = 85
_DECIMALS = 1  # of outlines, in voxels
_NAME_LENGTH = 16  # characters by which a browser knows a case's pictures
_DATA = ('<script type="application/json" class="case">', "</script>")


def encode_case(
    case: int,
    *,
    layers: Mapping[str, tuple[Sequence[np.ndarray], tuple[float, float], tuple[float, float]]],
    outlines: Sequence[Mapping[str, Sequence[np.ndarray]]],
    pixel_mm: tuple[float, float],
    mni_z_mm: Sequence[float],
    first: int,
    projected_mm: float,
    too_coarse: str,
) -> str:
    """A case as JSON for `reader_page`: its number and its pictures, and nothing else of the participant.

    Parameters
    ----------
    case : int
        Case number (`mndmri.tables.cases`).
    layers, outlines, pixel_mm, mni_z_mm, first, projected_mm, too_coarse
        As in `mndmri.susceptibility.reading.Reading`.
    """
    rows, columns = next(iter(layers.values()))[0][0].shape
    slices = {name: [_webp(grey) for grey in slices] for name, (slices, _, _) in layers.items()}
    content = {
        "case": case,
        "pictures": hashlib.sha256(json.dumps(slices).encode()).hexdigest()[:_NAME_LENGTH],
        "columns": columns,
        "rows": rows,
        "pixel_mm": [round(size, 4) for size in pixel_mm],
        "mni_z_mm": [round(z) for z in mni_z_mm],
        "first": first,
        "projected_mm": round(projected_mm, 1),
        "too_coarse": too_coarse,
        "layers": {
            name: {
                "range": [round(v, 5) for v in ends],
                "window": [round(v, 5) for v in window],
                "unit": UNITS[name],
                "slices": slices[name],
            }
            for name, (_, ends, window) in layers.items()
        },
        "outlines": [{name: "".join(map(_path, lines)) for name, lines in own.items() if lines} for own in outlines],
    }
    # inside a script element, nothing may look like the end of one
    return json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")


def reader_page(cases: Iterable[str]) -> str:
    """Page on which cases are rated, as HTML.

    Parameters
    ----------
    cases : iterable of str
        From `encode_case`, in the order in which they are read.

    Notes
    -----
    The page carries a content security policy that allows no request. Ratings and decisions leave it as files that
    the browser saves; until then they are kept by the browser, apart for each rater, and belong to the pictures that
    were seen: a case of the same number in another study, or of images that were made anew, opens without any.
    """
    return render("reader.html.j2", data=[case.join(_DATA) for case in cases])


def cases_in(page: str) -> list[str]:
    """Cases of a page as `encode_case` made them."""
    start, end = _DATA
    return [part.split(end, 1)[0] for part in page.split(start)[1:]]


def case_number(case: str) -> int:
    """Number of an encoded case."""
    content: dict[str, Any] = json.loads(case)
    return int(content["case"])


def _webp(grey: np.ndarray) -> str:
    """Picture of 8 bits as a data URI, without any metadata."""
    buffer = BytesIO()
    Image.fromarray(grey).save(buffer, format="WEBP", quality=_QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _path(line: np.ndarray) -> str:
    """Closed line as an SVG path."""
    points = [f"{x:.{_DECIMALS}f} {y:.{_DECIMALS}f}" for x, y in line]
    return f"M{'L'.join(points)}Z"
