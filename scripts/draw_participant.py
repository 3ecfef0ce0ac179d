"""A participant's pictures, on a page with the measures and the flags."""

import numpy as np
import pandas as pd

from mndmri.atlas.regions import select
from mndmri.figures import to_png
from mndmri.figures.hand_knob import hand_knob_sheet
from mndmri.figures.slices import colour_fa_sheet, contour_sheet, template_sheet
from mndmri.figures.strip import person_strips
from mndmri.grids import make_image
from mndmri.io import load_image, read_table, write_text
from mndmri.jobs import start_job
from mndmri.provenance import versions
from mndmri.report.pages import Picture, participant_page
from mndmri.tables.measures import MEASURE_COLUMNS
from mndmri.tables.qc import limits_from_config, qc_table

log = start_job(snakemake)
given, options, who = snakemake.input, snakemake.params, f"sub-{snakemake.wildcards.subject}"
t1w = load_image(given.t1w)
tissue = {"grey matter": load_image(given.gm), "white matter": load_image(given.wm)}
sheets = {
    "Brain mask on the T1w": contour_sheet(t1w, {"brain mask": load_image(given.mask)}, title=who),
    "Tissue on the T1w": contour_sheet(t1w, tissue, title=who),
    "T1w in template space": template_sheet(*map(load_image, (given.t1w_template, given.template)), title=who),
}
if given.fa:
    b0s = {"b = 0 image as scanned": given.b0_scanned, "b = 0 image, corrected": given.b0}
    white = {"white matter of the T1w": load_image(given.wm_dwi)}
    sheets |= {name: contour_sheet(load_image(path), white, title=who) for name, path in b0s.items()}
    weights, regions = load_image(given.atlas_dwi), read_table(given.table_dwi)
    outlines = {f"CST {side}": select(weights, regions, "cst", hemi) for side, hemi in (("left", "L"), ("right", "R"))}
    images = map(load_image, (given.fa, given.v1))
    sheets["Corticospinal tract on colour FA"] = colour_fa_sheet(*images, outlines, title=who)
masks, names = (load_image(given.regions), read_table(given.names)) if given.regions else (None, None)
if given.swi:
    outlines = {
        name.replace("_", " "): make_image(sum(select(masks, names, name, h).get_fdata() for h in "LR"), masks)
        for name in ("precentral_posterior", "precentral_anterior", "postcentral")
    }
    knobs = {hemi: select(masks, names, "precentral_hand", hemi) for hemi in "LR"}
    sheets["Hand knobs on the SWI"] = hand_knob_sheet(load_image(given.swi), outlines, knobs, title=who)
if given.chi and np.asarray((chi := load_image(given.chi)).dataobj).any():
    iron = {f"pallidum {hemi}": select(masks, names, "pallidum", hemi) for hemi in "LR"}
    sheets["Susceptibility"] = contour_sheet(chi, iron, title=who)
if given.strip:
    strips = person_strips(read_table(given.strip), title=who)
    sheets |= {f"Central sulcus, unfolded: {name}": figure for name, figure in strips.items()}
scores = [read_table(path).query("participant_id == @who and measure == 'motor_band_score'") for path in given.scores]
page = participant_page(
    who,
    options.group,
    pictures=[Picture(title, "", to_png(figure)) for title, figure in sheets.items()],
    measures=pd.concat([read_table(given.measures), *scores])[MEASURE_COLUMNS],
    qc=qc_table(read_table(given.qc).assign(participant_id=who), limits_from_config(options.limits)),
    stages=pd.DataFrame(options.stages),
    versions=versions(),
)
write_text(page, snakemake.output.page)
log.info("%d pictures", len(sheets))
