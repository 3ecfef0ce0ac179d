"""The SWI and the susceptibility of a person, painted onto the two banks of the central sulcus."""

import pandas as pd

from mndmri.io import load_image, read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.susceptibility.mapping import chi_veins
from mndmri.susceptibility.regions import any_region
from mndmri.susceptibility.strip import strips_dictionary, unfold

log = start_job(snakemake)
given = snakemake.input
masks, names, mni_mm = load_image(given.regions), read_table(given.names), load_image(given.mni_mm)
veins = load_image(given.veins) if given.veins else chi_veins(load_image(given.chi), any_region(masks))
limit = snakemake.params.max_in_plane_mm
strips = []
for modality, path in (("swi", given.swi), ("qsm", given.chi)):
    if path:
        strips.append(
            unfold(load_image(path), masks, names, mni_mm, veins, max_in_plane_mm=limit).assign(modality=modality)
        )
strip = pd.concat(strips, ignore_index=True)
write_table(strip, snakemake.output.strip)
write_json(strips_dictionary(snakemake.params.space), snakemake.output.json)
log.info("%d of %d patches have a value", strip["value"].notna().sum(), len(strip))
