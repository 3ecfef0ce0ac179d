"""Where a study's results are, and its primary comparisons on the screen: python scripts/show_results.py results."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mndmri.io import read_json, read_table  # noqa: E402
from mndmri.tables.words import readable_interval, readable_p, readable_place  # noqa: E402

results = Path(sys.argv[1])
config = read_json(results / "provenance.json")["config"]
primary = pd.DataFrame(config["statistics"]["primary"])
rows = read_table(results / "group/comparisons.tsv").query("reported == 'yes' and contrast != 'group'").merge(primary)
shown = pd.DataFrame(
    {
        "measure": rows["modality"] + " " + rows["measure"],
        "region": [readable_place(r, h) for r, h in zip(rows["region"], rows["hemi"], strict=True)],
        "contrast": rows["contrast"],
        "difference [95% CI]": [readable_interval(*v) for v in rows[["estimate", "ci_low", "ci_high"]].to_numpy()],
        "adjusted g": rows["adjusted_g"].map("{:.2f}".format),
        "p": rows["p"].map(readable_p),
        "p confirmatory": rows["p_confirmatory"].map(readable_p),
    }
)
print("\nPrimary measures, adjusted differences between the groups:\n")
print(shown.to_string(index=False))
if config["simulation"]:
    sizes = {scan: config["simulation"][scan]["voxel_mm"] for scan in ("t1w", "dwi", "gre")}
    voxels = ", ".join(f"{scan} {' x '.join(map(str, np.atleast_1d(mm)))} mm" for scan, mm in sizes.items())
    print(f"\nThe people and their scans are simulated (voxels: {voxels}): these numbers say nothing about patients.")
print(f"\nTables:  {(results / 'group').resolve()}")
print(f"Report:  {(results / 'group/report.html').resolve()}")
print(f"Quality: {(results / 'qc/index.html').resolve()}")
