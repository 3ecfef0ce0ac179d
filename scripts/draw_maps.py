"""A picture of each contrast of the maps of one kind, and all of them on a page to be looked at slice by slice."""

from pathlib import Path

import numpy as np

from mndmri.figures import to_png
from mndmri.figures.brain_maps import brain_map
from mndmri.figures.scenes import STATISTIC_STEP, map_ground, map_scene
from mndmri.grids import make_image
from mndmri.io import load_image, read_table, write_bytes, write_text
from mndmri.jobs import start_job
from mndmri.report.viewer import viewer_page

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params
# where nothing could be tested there is nothing to draw, and still a folder
Path(snakemake.output.figures).mkdir(parents=True, exist_ok=True)
template, summary = load_image(given.template), read_table(given.summary)
clusters = read_table(given.clusters)
template = make_image(np.asarray(template.dataobj), template)  # read once, for all contrasts
drawn = summary[summary["maps"].notna()]
scenes, ground = [], None
for row in drawn.itertuples():
    stem = f"{given.maps}/space-{options.space}_{row.maps}"
    files = f"{stem}_stat-{row.statistic.lower()}_statmap.nii.gz", f"{stem}_desc-fwep_statmap.nii.gz"
    statistic, log_p = (load_image(path) for path in files)
    two_sided = row.statistic != "F"
    peaks = clusters.loc[clusters["contrast"] == row.contrast, ["x", "y", "z"]].to_numpy()
    figure = brain_map(
        statistic,
        log_p,
        template,
        title=f"{options.title}: {row.contrast}",
        name=row.statistic,
        sides=("higher", "lower") if two_sided else ("different",),
        alpha=options.alpha,
        peaks=peaks,
    )
    write_bytes(to_png(figure), f"{snakemake.output.figures}/{row.maps}.png")
    # the contrasts lie on one grid
    ground = map_ground(template, statistic) if ground is None else ground
    scenes.append(
        map_scene(
            statistic,
            log_p,
            ground,
            contrast=row.contrast,
            name=row.statistic,
            alpha=options.alpha,
            two_sided=two_sided,
            peak=peaks[0] if len(peaks) else None,
            space=options.space,
            file=Path(files[0]).name,
        )
    )
page = viewer_page(
    f"{options.title}, voxel by voxel",
    [scene._asdict() for scene in scenes],
    step=STATISTIC_STEP,
    page="../report.html",
    page_title="Report of the study",
)
write_text(page, snakemake.output.viewer)
log.info("%d contrasts of %d have a map", len(drawn), len(summary))
