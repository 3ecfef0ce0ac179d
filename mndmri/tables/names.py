"""Names of files and variables, made from labels that somebody else chose."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from itertools import chain, count

_LONGEST = 100  # characters; file systems take 255 with all that stands round it


def variable_name(*parts: object) -> str:
    """Name valid in R, SPSS and JASP: ASCII letters, digits and underscores, a letter first.

    Accents go; a letter of another script becomes its code point, so that two names stay two.
    """
    text = unicodedata.normalize("NFKD", "_".join(map(str, parts)))
    text = "".join(c for c in text if not unicodedata.combining(c))
    text = re.sub(r"[^\x00-\x7f]", lambda found: f"u{ord(found[0]):04x}", text)
    text = re.sub(r"[^0-9A-Za-z]+", "_", text).strip("_")
    return text if text[:1].isalpha() else f"x{text}"


def contrast_label(contrast: str) -> str:
    """Contrast as a BIDS label, letters and digits alone: ``ALS-control`` is ``ALSminuscontrol``."""
    return variable_name(contrast.replace("-", " minus ")).replace("_", "")


def file_names(labels: Iterable[str], *, spell: Callable[[str], str] = variable_name) -> list[str]:
    """A file name for each label: no way out of its folder, and no two alike, also where capitals count for nothing.

    Parameters
    ----------
    labels : iterable of str
        All that get a file in one folder.
    spell : function
        From a label to letters, digits and underscores. Of labels that it makes alike, those after the
        first get a number.

    Returns
    -------
    list of str
        Without an extension, in the order of the labels.
    """
    names: list[str] = []
    taken: set[str] = set()
    for label in labels:
        stem = spell(label)[:_LONGEST]
        name = next(n for n in chain([stem], (f"{stem}{number}" for number in count(2))) if n.casefold() not in taken)
        taken.add(name.casefold())
        names.append(name)
    return names
