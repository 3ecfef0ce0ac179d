"""A participant's pictures, on a page with the measures and the flags."""

import numpy as np
import pandas as pd

from mndmri.atlases import select
from mndmri.figures import to_png
from mndmri.figures.hand_knob import hand_knob_sheet
from mndmri.figures.slices import colour_fa_sheet, contour_sheet, template_sheet
from mndmri.figures.strip import PAINTED, strip_plot
from mndmri.grids import make_image
from mndmri.io import load_image, read_table, write_text
from mndmri.jobs import start_job
from mndmri.measures import GROUP_COLUMNS, MEASURE_COLUMNS
from mndmri.provenance import versions
from mndmri.qc import limits_from_config, qc_table
from mndmri.report.pages import Picture, participant_page

log = start_job(snakemake)
given, who = snakemake.input, f"sub-{snakemake.wildcards.subject}"
t1w = load_image(given.t1w)
tissue = {"grey matter": load_image(given.gm), "white matter": load_image(given.wm)}
template = load_image(given.template)
sheets = {
    "Brain mask on the T1w": contour_sheet(t1w, {"brain mask": load_image(given.mask)}, title=who),
    "Tissue on the T1w": contour_sheet(t1w, tissue, title=who),
    "T1w in template space": template_sheet(load_image(given.t1w_template), template, title=who),
}
if given.fa:
    tracts = load_image(given.tract).slicer
    outlines = {"CST left": tracts[..., 0], "CST right": tracts[..., 1]}
    fa, v1 = load_image(given.fa), load_image(given.v1)
    sheets["Corticospinal tract on colour FA"] = colour_fa_sheet(fa, v1, outlines, title=who)
if given.swi:
    masks, names = load_image(given.regions), read_table(given.names)
    shown = {
        "precentral_posterior": "posterior bank",
        "precentral_anterior": "anterior bank",
        "postcentral": "postcentral",
    }
    outlines = {
        text: make_image(sum(select(masks, names, region, hemi).get_fdata() for hemi in "LR"), masks)
        for region, text in shown.items()
    }
    knobs = {hemi: select(masks, names, "precentral_hand", hemi) for hemi in "LR"}
    sheets["Hand knobs on the SWI"] = hand_knob_sheet(load_image(given.swi), outlines, knobs, title=who)

chi = load_image(given.chi) if given.chi else None
if chi is not None and np.asarray(chi.dataobj).any():
    masks, names = load_image(given.regions), read_table(given.names)
    iron = {f"pallidum {hemi}": select(masks, names, "pallidum", hemi) for hemi in "LR"}
    sheets["Susceptibility"] = contour_sheet(chi, iron, title=who)
if given.strip:
    for modality, strip in read_table(given.strip).groupby("modality", sort=False):
        if strip["value"].notna().any():
            name, quantity, unit = PAINTED[modality]
            sheets[f"Central sulcus, unfolded: {name}"] = strip_plot(strip, title=who, quantity=quantity, unit=unit)

qc = read_table(given.qc).assign(participant_id=who)
scores = read_table(given.scores) if given.scores else pd.DataFrame(columns=GROUP_COLUMNS)
page = participant_page(
    who,
    snakemake.params.group,
    pictures=[Picture(title, "", to_png(figure)) for title, figure in sheets.items()],
    measures=pd.concat([read_table(given.measures), scores[scores["participant_id"] == who]])[MEASURE_COLUMNS],
    qc=qc_table(qc, limits_from_config(snakemake.params.limits)),
    stages=pd.DataFrame(snakemake.params.stages),
    versions=versions(),
)
write_text(page, snakemake.output.page)
log.info("%d pictures", len(sheets))
