"""A figure of a participant's page with what to look for in it, and its frames."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from matplotlib.figure import Figure
from nibabel.spatialimages import SpatialImage

from mndmri.figures import to_webp
from mndmri.figures.slices import show_instead


class Sheet(NamedTuple):
    """A figure, and how it is read."""

    figure: Figure
    look_for: str
    bad: str = ""
    """How a bad one looks."""
    frames: Mapping[str, SpatialImage] = MappingProxyType({})
    """By name, the images that take each other's place behind the same outlines; none: the figure as it is."""


def draw_frames(sheet: Sheet) -> dict[str, bytes]:
    """WebP of every frame, by its name; of the figure itself, under the empty name, where it has none."""
    if not sheet.frames:
        return {"": to_webp(sheet.figure)}
    drawn = {}
    for name, image in sheet.frames.items():
        show_instead(sheet.figure, image)
        drawn[name] = to_webp(sheet.figure)
    return drawn
