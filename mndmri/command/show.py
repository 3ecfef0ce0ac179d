"""A study's primary comparisons as text, and where its pages are."""

from pathlib import Path

import numpy as np
import pandas as pd

from mndmri.io import InputError, read_json, read_table
from mndmri.tables.words import readable_interval, readable_level, readable_p, readable_place


def describe(results: str | Path) -> list[str]:
    """Lines for the screen.

    Parameters
    ----------
    results : path
        Folder of a study's results.

    Returns
    -------
    list of str
        The reported test of each primary measure, what was simulated, and paths.

    Raises
    ------
    InputError
        If the study has not been run to its end.
    """
    results = Path(results)
    if not (results / "provenance.json").is_file():
        raise InputError(f"{results}: no finished study is there (provenance.json is missing); run it first")
    config = read_json(results / "provenance.json")["config"]
    return [
        *_comparisons(results, pd.DataFrame(config["statistics"]["primary"]), alpha=config["statistics"]["alpha"]),
        *_simulated(config),
        f"\nTables:  {(results / 'group').resolve()}",
        f"Report:  {(results / 'group/report.html').resolve()}",
        *([f"Quality: {(results / 'qc/index.html').resolve()}"] if (results / "qc/index.html").is_file() else []),
    ]


def _comparisons(results: Path, primary: pd.DataFrame, *, alpha: float) -> list[str]:
    rows = read_table(results / "group/comparisons.tsv")
    rows = rows[(rows["reported"] == "yes") & (rows["contrast"] != "group")]
    rows = rows.head(0) if primary.empty else rows.merge(primary)
    if rows.empty:
        return ["\nNo primary measure was compared between groups."]
    shown = pd.DataFrame(
        {
            "measure": rows["modality"] + " " + rows["measure"],
            "region": [readable_place(r, h) for r, h in zip(rows["region"], rows["hemi"], strict=True)],
            "contrast": rows["contrast"],
            f"difference [{readable_level(alpha)}]": [
                readable_interval(*v) for v in rows[["estimate", "ci_low", "ci_high"]].to_numpy()
            ],
            "adjusted g": rows["adjusted_g"].map(lambda g: "" if np.isnan(g) else f"{g:.2f}"),
            "p": rows["p"].map(readable_p),
            "p confirmatory": rows["p_confirmatory"].map(readable_p),
        }
    )
    return ["\nPrimary measures, adjusted differences between the groups:\n", shown.to_string(index=False)]


def _simulated(config: dict) -> list[str]:
    if not config["simulation"]:
        return []
    sizes = {scan: config["simulation"][scan]["voxel_mm"] for scan in ("t1w", "dwi", "gre")}
    voxels = ", ".join(f"{scan} {' x '.join(map(str, np.atleast_1d(mm)))} mm" for scan, mm in sizes.items())
    return [f"\nThe people and their scans are simulated (voxels: {voxels}): these numbers say nothing about patients."]
