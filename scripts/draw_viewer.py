"""A participant's images, with what was drawn on them, on a page to be looked at slice by slice."""

from pathlib import Path

from mndmri.figures.scenes import STATISTIC_STEP, dwi_scene, swi_scene, t1w_scene
from mndmri.io import load_image, load_optional, load_streamlines, read_table, write_text
from mndmri.jobs import start_job
from mndmri.report.viewer import viewer_page
from mndmri.units import unit_of

log = start_job(snakemake)
given, who = snakemake.input, unit_of(snakemake.wildcards)
scenes = [
    t1w_scene(
        *(load_image(given[name]) for name in ("t1w", "mask", "gm", "wm", "atlas_t1w")),
        read_table(given.table_t1w),
        name=snakemake.params.anatomical,
        file=Path(given.t1w).name,
    )
]
if given.fa:
    scenes.append(
        dwi_scene(
            *(load_image(given[name]) for name in ("fa", "v1", "atlas_dwi")),
            read_table(given.table_dwi),
            {side: load_streamlines(path) for side, path in zip(("left", "right"), given.tracts, strict=False)},
            file=Path(given.fa).name,
        )
    )
if given.regions and (given.swi or given.chi):
    scenes.append(
        swi_scene(
            {name: load_image(path) for name, path in (("SWI", given.swi), ("QSM", given.chi)) if path},
            load_image(given.regions),
            read_table(given.names),
            load_optional(given.veins),
            file=Path(given.swi or given.chi).name,
        )
    )
page = viewer_page(
    who,
    [scene._asdict() for scene in scenes],
    step=STATISTIC_STEP,
    page=f"{who}.html",
    page_title="Pictures and measures",
)
write_text(page, snakemake.output.page)
log.info("%s, %.1f MB", ", ".join(scene.name for scene in scenes), len(page) / 1e6)
