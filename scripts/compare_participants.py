"""Every person on the range of the controls, in a file beside the person's page that shows it there."""

import pandas as pd

from mndmri.figures.person import person_sheets
from mndmri.figures.sheets import draw_frames
from mndmri.io import by_participant, read_table, write_text
from mndmri.jobs import start_job
from mndmri.report.controls import controls_panel
from mndmri.report.pages import View
from mndmri.statistics.bands import add_band, score_places
from mndmri.statistics.deviations import DeviationTables
from mndmri.statistics.prevalence import SCORE
from mndmri.tables.covariates import join_measured
from mndmri.tables.measures import directions
from mndmri.tables.neuron import along_neuron
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params
measures, quality = read_table(given.measures), read_table(given.quality) if given.quality else None
people = join_measured(read_participants(given.participants), measures, quality, options.scored["measure_covariates"])
controls = people.loc[people["group"] == options.scored["reference"], "participant_id"].tolist()
bands = add_band(DeviationTables(read_table(given.deviations), read_table(given.norms)), alpha=options.scored["alpha"])
index = read_table(given.index) if given.index else None
neuron = along_neuron(bands, ["w_score"], signs=directions(options.higher_is))
rows = [*options.primary, SCORE]
bands = bands.merge(pd.DataFrame(rows).drop_duplicates())  # once: everybody's measures are many
profiles = strips = None
if given.profiles:
    fa = read_table(given.profiles).query("modality == 'dwi' and measure == 'fa'")
    profiles = score_places(fa, people, modality="dwi", measure="fa", named_by=["node"], **options.scored)
if given.strips:
    strips = pd.concat(
        score_places(own, people, modality=name, measure="strip", named_by=["bank", "arc", "depth"], **options.scored)
        for name, own in read_table(given.strips).groupby("modality", sort=False)
    )

for who, path in by_participant(snakemake.output.panels).items():
    sheets = person_sheets(who, controls=controls, profiles=profiles, strips=strips)
    text = controls_panel(
        who,
        bands,
        rows=rows,
        n_primary=len(options.primary),
        controls=controls,
        covariates=options.scored["covariates"],
        alpha=options.scored["alpha"],
        neuron=neuron,
        band_index=None if index is None else index[index["participant_id"] == who],
        views=[View(title, draw_frames(own), own.look_for, own.bad) for title, own in sheets.items()],
    )
    write_text(text, path)
log.info("%d participants, %d controls", len(snakemake.output.panels), len(controls))
