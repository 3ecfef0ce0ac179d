"""The page on which images are looked at slice by slice: one file that makes no request."""

import base64
import zlib
from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from mndmri.report.pages import render

# Of lossy WebP, 0 to 100, and the effort of its encoder, 0 to 6.
_QUALITY, _METHOD = 80, 2
_PARTS_OF_VOXEL, _END_OF_LINE = 16, -32768  # streamlines are stored in parts of a voxel
_WIDEST = 4096  # pixels of a picture of all slices


def viewer_page(title: str, scenes: Iterable[Mapping[str, Any]], *, step: float, page: str, page_title: str) -> str:
    """Page on which scenes are looked at in three planes, as HTML.

    Parameters
    ----------
    title : str
        Of a participant the id, and nothing else.
    scenes : iterable of mapping
        Each with the fields of `mndmri.figures.scenes.Scene`.
    step : float
        Of a statistic, the value of one of its steps.
    page, page_title : str
        Path from this page of the one with the still pictures, and its name.

    Notes
    -----
    A link to the page can end in ``#scene,x,y,z``, the number of a scene from 1 and a place in mm: there it opens.
    Grey values are stored with a loss (WebP), masks and statistics without (deflate); a browser unpacks both without
    WebGL. What several scenes share is stored once. The page carries a content security policy that allows no request.
    """
    parts: dict[str, int] = {}
    encoded = [_encoded(scene, parts) for scene in scenes]
    return render(
        "viewer.html.j2", title=title, scenes=encoded, parts=list(parts), step=step, page=page, page_title=page_title
    )


def _encoded(scene: Mapping[str, Any], parts: dict[str, int]) -> dict[str, Any]:
    """Scene as the page's script reads it; what is long goes to ``parts``, and its number stays."""
    shape = next(iter(scene["images"].values())).channels[0].shape
    affine, statistic = scene["affine"], scene["statistic"]
    bits = np.zeros(shape, np.uint8)  # of each voxel, one for each mark
    for n, mask in enumerate(scene["marks"].values()):
        bits |= mask.astype(np.uint8) << n
    return {
        "name": scene["name"],
        "shape": shape,
        "affine": _rounded(affine),
        "to_file": _rounded(np.linalg.inv(scene["file_affine"])),
        "voxel_mm": [round(float(size), 3) for size in np.linalg.norm(affine[:3, :3], axis=0)],
        "file": scene["file"],
        "space": scene["space"],
        "start_mm": scene["start_mm"],
        "look_for": scene["look_for"],
        "bad": scene["bad"],
        "images": [
            {
                "name": name,
                "ends": image.ends,
                "unit": image.unit,
                "channels": [_stored(_picture(channel), parts) for channel in image.channels],
                "mean": float(image.channels[0].mean()),
            }
            for name, image in scene["images"].items()
        ],
        "marks": [
            {
                "name": name,
                "colour": colour,
                "on": name not in scene["hidden"],
                "empty": not mask.any(),
                "lines": _stored(_packed(_strung(scene["lines"][name])), parts) if name in scene["lines"] else None,
            }
            for (name, mask), colour in zip(scene["marks"].items(), scene["colours"], strict=True)
        ],
        "bits": _stored(_packed(bits), parts),
        "statistic": statistic
        and {
            "name": statistic.name,
            "ends": statistic.ends,
            "colours": list(statistic.colours),
            "steps": _stored(_packed(statistic.steps.astype("<i2")), parts),
        },
    }


def _rounded(affine: np.ndarray) -> list[list[float]]:
    return [[round(float(v), 6) for v in row] for row in affine[:3]]


def _stored(data: bytes, parts: dict[str, int]) -> int:
    """Number of a part of the page."""
    return parts.setdefault(base64.b64encode(data).decode("ascii"), len(parts))


def _packed(values: np.ndarray) -> bytes:
    """Values in the order in which the page counts voxels, the first axis fastest."""
    return zlib.compress(values.tobytes(order="F"), 9)


def _strung(lines: Iterable[np.ndarray]) -> np.ndarray:
    """Points of lines one after the other, and between two lines a row that is no point; shape (3, n)."""
    end = np.full((1, 3), _END_OF_LINE, "<i2")
    rows = [part for line in lines for part in (np.rint(_PARTS_OF_VOXEL * line).astype("<i2"), end)]
    return np.concatenate([end, *rows]).T


def _picture(channel: np.ndarray) -> bytes:
    """WebP of all axial slices, as many beside each other as fit, the lowest first; rows run from posterior."""
    across, up, n_slices = channel.shape
    columns = min(_WIDEST // across, n_slices)
    rows = -(-n_slices // columns)
    tiles = np.zeros((rows * columns, up, across), np.uint8)
    tiles[:n_slices] = channel.transpose(2, 1, 0)
    whole = tiles.reshape(rows, columns, up, across).swapaxes(1, 2).reshape(rows * up, columns * across)
    buffer = BytesIO()
    Image.fromarray(whole).save(buffer, format="WEBP", quality=_QUALITY, method=_METHOD)
    return buffer.getvalue()
