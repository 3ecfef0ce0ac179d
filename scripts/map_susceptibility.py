"""A person's susceptibility map in ppm: from the phase, or the user's own."""

from mndmri.cohort import bids
from mndmri.grids import to_canonical
from mndmri.io import EXACT, load_image, read_table, save_image, write_json, write_table
from mndmri.jobs import start_job
from mndmri.susceptibility.mapping import map_phase, mapping_quality, take_chimap

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params
brain = load_image(given.brain)
if given.chimap:
    mapped = take_chimap(to_canonical(load_image(given.chimap[0])), brain, sign=options.paramagnetic_sign)
else:
    echoes = bids.pair_echoes(magnitude=given.magnitude, phase=given.phase)
    sidecars = [bids.sidecar(echo["phase"], options.bids_dir) for echo in echoes]
    mapped = map_phase(
        [to_canonical(load_image(echo["magnitude"])) for echo in echoes],
        [to_canonical(load_image(echo["phase"])) for echo in echoes],
        brain,
        load_image(given.regions),
        read_table(given.names),
        echo_times_s=[sidecar["EchoTime"] for sidecar in sidecars],
        field_strength_T=sidecars[0]["MagneticFieldStrength"],
        units=sidecars[0].get("Units"),
        method=options.method,
        unwrapper=options.unwrapper,
        reference=options.reference,
        sign=options.paramagnetic_sign,
    )
log.info(mapped.unknown or mapped.note)
save_image(mapped.chi, snakemake.output.chi)
save_image(mapped.local, snakemake.output.local)
save_image(mapped.mask, snakemake.output.mask, dtype="uint8")
write_table(mapping_quality(mapped, brain), snakemake.output.qc, digits=EXACT)
description = {
    "Units": "ppm",
    "ParamagneticSign": mapped.sign,
    "Method": mapped.note,
    "Unknown": mapped.unknown,
    "Error": mapped.error and mapped.error.as_json(),
}
write_json(description, snakemake.output.description)
