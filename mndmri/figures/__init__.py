"""Pictures: contact sheets of images, plots of groups. All functions return a matplotlib Figure."""

from io import BytesIO

import matplotlib
from matplotlib.figure import Figure

# Labels are somebody's own words: a dollar sign in them is no formula.
matplotlib.rcParams["text.parse_math"] = False
# Without a version and a date in it, the same figure is the same file.
_NO_METADATA = {"Software": None}


def to_png(figure: Figure, *, dpi: int = 110) -> bytes:
    """Figure as the bytes of a PNG file, on the figure's own background colour."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor=figure.get_facecolor(), metadata=_NO_METADATA)
    return buffer.getvalue()
