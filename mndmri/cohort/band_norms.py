"""Whether the stored norms of the motor band fit the scans, before anything is computed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mndmri.cohort import bids
from mndmri.cohort.records import Scan, Study
from mndmri.grids import voxel_sizes
from mndmri.io import InputError, load_image
from mndmri.tables.band_norms import read_band_norms
from mndmri.tables.protocols import (
    HOMODYNE_SWI,
    KIND,
    MAGNITUDE,
    VENDOR_SWI,
    differences,
    join_protocols,
    kind_of,
    protocol,
    unknown,
)
from mndmri.tables.words import name_people

# Standard deviations between the means of two studies, above which their pooling is noted. Between two studies of six
# controls each without a difference, means of a region do so in 2 to 13 of 100 (sides unrelated, alike).
MAX_APART = 1.0


def norms_files(config: Mapping[str, Any]) -> list[str]:
    """Paths of the stored norms of the motor band that the config names: none, one or several."""
    given = config["swi"]["norms"]
    return [given] if isinstance(given, str) else list(given or [])


def read_norms_files(config: Mapping[str, Any]) -> list[pd.DataFrame]:
    """The stored norms that the config names, checked.

    Raises
    ------
    InputError
        If a file is not there, is named twice, or holds no norms.
    """
    paths = norms_files(config)
    for path in paths:
        if not Path(path).is_file():
            raise InputError(f"swi.norms: no such file {path}; correct the path")
    twice = [path for path in dict.fromkeys(paths) if paths.count(path) > 1]
    if twice:
        raise InputError(f"swi.norms: {', '.join(twice)} twice; name each study once")
    return read_band_norms(paths)


def compare_with_norms(study: Study, norms: Sequence[pd.DataFrame]) -> list[str]:
    """Notes on scans that were made in another way than those whom the norms come from, and on what is unknown.

    Parameters
    ----------
    study : Study
        As it will be run.
    norms : sequence of DataFrame
        From `read_norms_files`.

    Raises
    ------
    InputError
        If nobody's scan is of a kind that the norms have.
    """
    if not norms:
        return []
    own = {
        who: scans["swi"]
        for who, scans in study.scans.items()
        if "swi" in scans and "swi" not in study.excluded.get(who, {})
    }
    planned = {who: kind_of(planned_weighting(scan), has_t1w="t1w" in study.scans[who]) for who, scan in own.items()}
    together = pd.concat(norms, ignore_index=True)
    kinds = list(together[KIND].unique())
    others = {kind: [who for who, its in planned.items() if its == kind and kind not in kinds] for kind in _KINDS}
    told = "; ".join(f"{kind} of {name_people(people)}" for kind, people in others.items() if people)
    if planned and not set(planned.values()) & set(kinds):
        raise InputError(
            f"swi.norms: they are of scans of the kind {', '.join(kinds)}, the study has {told}. Kinds do not share "
            "limits: name norms of the same kind, made once by a study of at least 6 controls scanned like these, or "
            "set swi.norms to null to take the limits from this study's own controls"
        )
    notes = [f"swi.norms: no limits for {told}: they have no motor band score"] if told else []
    notes += _apart(together)
    if study.simulated:  # the scans are not there yet
        return notes
    whom: dict[str, list[str]] = {}
    missing: dict[str, list[str]] = {}
    for kind in kinds:
        theirs = join_protocols(together[together[KIND] == kind])
        for who in (who for who, its in planned.items() if its == kind):
            mine = _protocol(own[who], kind, study.bids_dir)
            for text in differences(mine, theirs):
                whom.setdefault(text, []).append(who)
            for what in unknown(mine, theirs):
                missing.setdefault(what, []).append(who)
    notes += [
        f"swi.norms: scanned otherwise than the controls of the norms (theirs in brackets): {text}: {name_people(who)}"
        for text, who in whom.items()
    ]
    notes += [
        f"swi.norms: not compared, as not known of both: {what}: {name_people(who)}" for what, who in missing.items()
    ]
    return notes


def _apart(norms: pd.DataFrame) -> list[str]:
    """Notes on studies that are pooled although their controls lie far apart."""
    notes = []
    for (kind, region), own in norms.groupby([KIND, "region"], sort=False):
        within = float(np.sqrt((own["sd"] ** 2).mean()))
        if len(own) > 1 and own["mean"].max() - own["mean"].min() > MAX_APART * within:
            means = ", ".join(f"{mean:.3g}" for mean in own["mean"])
            notes.append(
                f"swi.norms: the controls of the studies pooled differ in {region} ({kind}): means {means}, standard "
                f"deviation {within:.3g}; the limits are as wide as that. Are their scans alike?"
            )
    return notes


_KINDS = tuple(
    kind_of(weighting, has_t1w=placed)
    for placed in (True, False)
    for weighting in (VENDOR_SWI, HOMODYNE_SWI, MAGNITUDE)
)


def planned_weighting(scan: Scan) -> str:
    """Weighting of the image that will be made of a scan; one whose phase is of no clear sign becomes a magnitude."""
    if "swi" in scan.files:
        return VENDOR_SWI
    return HOMODYNE_SWI if "phase" in scan.files else MAGNITUDE


def _protocol(scan: Scan, kind: str, bids_dir: str) -> dict[str, str | None]:
    shown = scan.files.get("swi") or scan.files["magnitude"]
    sizes = voxel_sizes(load_image(shown[0])).tolist()
    return protocol(kind, sizes, [bids.sidecar(path, bids_dir) for path in shown])
