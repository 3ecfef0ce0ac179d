"""How a susceptibility-weighted scan was made: scans made differently do not share the limits of the motor band."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

# How the image came about. What is dark in one of these need not be in another: no limits are shared.
VENDOR_SWI, HOMODYNE_SWI, MAGNITUDE, UNKNOWN = "vendor SWI", "homodyne SWI", "magnitude", "unknown"
_WITHOUT_T1W = ", located without a T1w image"

_MAX_SECONDS = 0.2  # of an echo time; more are milliseconds
# Alike within this share: nominal and true field strengths (2.89 T is called 3 T), rounded voxels and echo times.
_ALIKE = {"in_plane_mm": 0.05, "slice_mm": 0.05, "echo_times_ms": 0.05, "field_t": 0.1}
_TOLD = {
    "in_plane_mm": ("voxels in the plane", " mm"),
    "slice_mm": ("slices", " mm"),
    "echo_times_ms": ("echo times", " ms"),
    "field_t": ("field strength", " T"),
    "vendor": ("scanner", ""),
}
_SEVERAL = "; "

KIND = "kind"
DESCRIPTIONS = {
    KIND: f"How the image was weighted: {VENDOR_SWI} (the scanner's), {HOMODYNE_SWI} (of magnitude and phase, made "
    f"here), {MAGNITUDE} (no phase in it), or {UNKNOWN}; with '{_WITHOUT_T1W}' where the regions were placed by the "
    "scan itself. Kinds do not share limits.",
    "in_plane_mm": "Larger voxel size in the plane, mm.",
    "slice_mm": "Size of the voxels across the plane, mm.",
    "echo_times_ms": "Echo times, ms, by the sidecars; n/a where they have none.",
    "field_t": "Field strength, T, by the sidecars.",
    "vendor": "Manufacturer of the scanner, by the sidecars.",
}
PROTOCOL = [name for name in DESCRIPTIONS if name != KIND]


def kind_of(weighting: str, *, has_t1w: bool = True) -> str:
    """Kind of a scan by its weighting, and by what its regions were placed with: banks placed otherwise differ, too."""
    return weighting if has_t1w else weighting + _WITHOUT_T1W


def protocol(kind: str, sizes_mm: Sequence[float], sidecars: Sequence[Mapping[str, Any]]) -> dict[str, str | None]:
    """Kind and protocol of a scan, as text; None is unknown.

    Parameters
    ----------
    kind : str
        From `kind_of`.
    sizes_mm : sequence of three floats
        Voxel sizes.
    sidecars : sequence of mapping
        Metadata of each echo (BIDS: EchoTime, MagneticFieldStrength, Manufacturer).
    """
    _, in_plane, across = sorted(map(float, sizes_mm))
    times = [_number(own.get("EchoTime")) for own in sidecars]
    known = [1000 * t if t <= _MAX_SECONDS else t for t in times if t is not None]
    field = next((f for own in sidecars if (f := _number(own.get("MagneticFieldStrength"))) is not None), None)
    maker = next((str(own["Manufacturer"]).split() for own in sidecars if own.get("Manufacturer")), [])
    return {
        KIND: kind,
        "in_plane_mm": f"{in_plane:.3g}",
        "slice_mm": f"{across:.3g}",
        "echo_times_ms": ", ".join(f"{t:.4g}" for t in known) if known and len(known) == len(times) else None,
        "field_t": None if field is None else f"{field:.3g}",
        "vendor": maker[0].capitalize() if maker and len(maker[0]) > 2 else "".join(maker[:1]).upper() or None,
    }


def join_protocols(protocols: pd.DataFrame) -> dict[str, str | None]:
    """Each property's different values, with a semicolon between them; None where nothing is known."""
    joined: dict[str, str | None] = {}
    for name in PROTOCOL:
        values = dict.fromkeys(value for cell in protocols[name] for value in _values(cell))
        joined[name] = _SEVERAL.join(sorted(values)) or None
    return joined


def differences(own: Mapping[str, Any], others: Mapping[str, Any]) -> list[str]:
    """In what a scan differs from others, a phrase each: ``field strength 1.5 T (3 T)``.

    ``others`` may have several values of a property (`join_protocols`), of which one suffices. What is unknown of
    either is no difference.
    """
    found = []
    for name in PROTOCOL:
        here, there = _values(own.get(name)), _values(others.get(name))
        if here and there and not any(_alike(name, h, t) for h in here for t in there):
            what, unit = _TOLD[name]
            found.append(f"{what} {_SEVERAL.join(here)}{unit} ({_SEVERAL.join(there)}{unit})")
    return found


def unknown(*protocols: Mapping[str, Any]) -> list[str]:
    """Properties, in words, that at least one of the protocols does not tell."""
    return [_TOLD[name][0] for name in PROTOCOL if not all(_values(own.get(name)) for own in protocols)]


def _alike(name: str, first: str, second: str) -> bool:
    if name not in _ALIKE:
        return first.casefold() == second.casefold()
    a, b = ([_number(part) for part in text.split(",")] for text in (first, second))
    if len(a) != len(b) or None in a or None in b:
        return False
    return bool(np.allclose(np.array(a, float), np.array(b, float), rtol=_ALIKE[name], atol=0))


def _values(cell: object) -> list[str]:
    """Values in a cell of a table; none of a missing one."""
    if cell is None or (isinstance(cell, float) and np.isnan(cell)):
        return []
    return [text for part in str(cell).split(_SEVERAL.strip()) if (text := part.strip())]


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) and number > 0 else None


def protocol_table(protocols: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Kind and protocol of everybody, by ``participant_id``."""
    rows: Iterable[Mapping[str, Any]] = protocols.values()
    table = pd.DataFrame(list(rows), index=pd.Index(list(protocols), name="participant_id"), columns=[KIND, *PROTOCOL])
    return table.astype(object).where(table.notna(), None)
