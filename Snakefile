"""mndmri: upper-motor-neuron damage on MRI, from a BIDS dataset to group tables."""

import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.20")


# Keys of the demo study must not slip into somebody's own: its config is read for itself alone. Nor is the demo
# simulated in somebody's own folder, for want of a config.
if not workflow.overwrite_configfiles:
    if Path.cwd() != Path(workflow.basedir).resolve():
        sys.exit(
            "no config was named. Your own study: snakemake --snakefile "
            f"{workflow.basedir}/Snakefile --configfile study.yaml --cores N; "
            f"the demo study, of simulated people: make --directory {workflow.basedir} demo"
        )

    configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/progress.smk"


pathvars:
    results=RESULTS,
    resources=f"{RESULTS}/resources",
    logs=LOGS,
    benchmarks=f"{RESULTS}/benchmarks",
    space=SPACE,
    who=WHO,
    anat=f"{RESULTS}/{WHERE}/anat/{WHO}",
    dwi=f"{RESULTS}/{WHERE}/dwi/{WHO}",
    swi=f"{RESULTS}/{WHERE}/swi/{WHO}",
    maps=f"{RESULTS}/{WHERE}/maps/{WHO}",
    place=PLACE,
    participant=f"{PLACE}/{WHERE}/{WHO}",
    person=f"{RESULTS}/sub-{{subject}}/anat/sub-{{subject}}",
    group=f"{PLACE}/group",
    qc=f"{PLACE}/qc",


wildcard_constraints:
    subject="[A-Za-z0-9]+",
    session="[A-Za-z0-9]+",


report: "workflow/report/workflow.rst"


localrules:
    all,
    statistics,
    qc,


rule all:
    default_target: True
    input:
        "<group>/report.html",
        "<qc>/index.html" if STUDY.scans else [],
        "<place>/provenance.json",
        lambda wildcards: [] if config["measures"] else READERS,
        lambda wildcards: COMPARED,
        "<results>/simulation/truth.tsv" if config["simulation"] else [],


rule statistics:
    """Make the group's tables and its page, from whatever measures there are."""
    input:
        "<group>/report.html",
        "<place>/provenance.json",


rule qc:
    """Make every participant's page and the quality index, and compare no groups."""
    input:
        "<qc>/index.html",


for part in PARTS:

    rule:
        """Make the tables and pages of one modality alone, below parts in the results."""
        name:
            part
        input:
            "<group>/report.html",
            "<qc>/index.html",
            "<place>/provenance.json",
            lambda wildcards: COMPARED,
        localrule: True


if config["simulation"]:

    include: "workflow/rules/simulate.smk"


if config["measures"]:

    include: "workflow/rules/given.smk"


if not config["measures"]:

    include: "workflow/rules/template.smk"
    include: "workflow/rules/stand_in.smk"
    include: "workflow/rules/anat.smk"
    include: "workflow/rules/thickness.smk"
    include: "workflow/rules/cord.smk"
    include: "workflow/rules/dwi.smk"
    include: "workflow/rules/swi.smk"
    include: "workflow/rules/contrasts.smk"
    include: "workflow/rules/reader.smk"
    include: "workflow/rules/measures.smk"
    include: "workflow/rules/qc.smk"


include: "workflow/rules/group.smk"


if not config["measures"]:

    include: "workflow/rules/maps.smk"


include: "workflow/rules/report.smk"


follow_files()


onstart:
    begin_writing()


onsuccess:
    look_back()


onerror:
    measure_the_others()
