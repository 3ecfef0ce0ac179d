"""How Sphinx builds these pages: `make docs` writes them to site/, without a network."""

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "tools"), str(HERE.parent)]

from plan import count, draw, read_plan  # noqa: E402
from reference import REFERENCE  # noqa: E402

from mndmri import __version__ as version  # noqa: E402, F401

project = "mndmri"
html_title = "mndmri"
html_theme = "furo"
html_show_copyright = html_show_sourcelink = html_copy_source = False
extensions = ["myst_parser"]
myst_heading_anchors = 3
exclude_patterns = ["tools"]

_MARK = re.compile(r"^\{\{ (\w+) \}\}$", re.MULTILINE)


def _fill(app: Sphinx, name: str, source: list[str]) -> None:
    """Put the table that follows from the code in the place of each ``{{ name }}`` on a line of its own."""
    made = REFERENCE | {"plan": lambda: count(read_plan())}
    source[0] = _MARK.sub(lambda found: made[found[1]](), source[0])


def _draw(app: Sphinx) -> None:
    """Draw the plan of the house anew."""
    (HERE / "images/plan.svg").write_text(draw(read_plan()), encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Connect both to the build."""
    app.connect("builder-inited", _draw)
    app.connect("source-read", _fill)
