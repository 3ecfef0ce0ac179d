# People whose visits are aligned: those with a T1w image at two visits or more.
VISITED = [
    who for who in AT_BASELINE if len(visits_of(who.removeprefix("sub-"), "t1w")) > 1
]


def session_names(wildcards):
    """Parameter function: sessions of the T1w images of a person, as tables have them."""
    return [split_unit(unit)[1] for unit in visits_of(wildcards.subject, "t1w")]


@of_user
def scanned_t1w(wildcards):
    """Input function: a person's T1w images of all visits, as they were scanned."""
    return [
        path
        for unit in visits_of(wildcards.subject, "t1w")
        for path in BY_UNIT.scans[unit]["t1w"].files["image"]
    ]


rule align_visits:
    """Bring a person's T1-weighted images of all visits to the space midway between them, and that to the template."""
    input:
        **TARGET,
        **ONWARD,
        template=rules.prepare_template.output.registration,
        t1w=scanned_t1w,
        mask=of_visits("t1w", rules.preprocess_t1w.output.mask),
        fov=of_visits("t1w", rules.preprocess_t1w.output.fov),
    output:
        brain="<person>_desc-midway_T1w.nii.gz",
        mask="<person>_desc-midway_mask.nii.gz",
        visits="<person>_space-midway_desc-visits_T1w.nii.gz",
        poses="<person>_from-midway_to-T1w_mode-points_xfm.json",
        shifts="<person>_from-midway_to-visits_mode-image_xfm.nii.gz",
        to_template="<person>_from-midway_to-<space>_mode-image_xfm.nii.gz",
        from_template="<person>_from-<space>_to-midway_mode-image_xfm.nii.gz",
    log:
        "<logs>/align_visits/sub-{subject}.log",
    benchmark:
        "<benchmarks>/align_visits/sub-{subject}.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=6000,
    params:
        version=VERSION,
        sessions=session_names,
        max_voxel_mm=config["t1w"]["max_voxel_mm"],
        engine=config["t1w"]["registration_engine"],
        iterations=config["t1w"]["registration_iterations"],
    script:
        "../../scripts/align_visits.py"


rule measure_within:
    """Measure the volumes of a person's visits in the midway space, by their own tissue and by the Jacobian."""
    input:
        template_tissue=rules.prepare_template.output.tissue,
        nuclei=rules.prepare_template.output.nuclei,
        lobes=rules.prepare_template.output.lobes,
        atlas=rules.prepare_template.output.atlas,
        table=rules.prepare_template.output.table,
        t1w=scanned_t1w,
        mask=rules.align_visits.input.mask,
        fov=rules.align_visits.input.fov,
        brain=rules.align_visits.output.brain,
        midway_mask=rules.align_visits.output.mask,
        visits=rules.align_visits.output.visits,
        poses=rules.align_visits.output.poses,
        shifts=rules.align_visits.output.shifts,
        to_template=rules.align_visits.output.to_template,
        from_template=rules.align_visits.output.from_template,
    output:
        measures="<person>_desc-within_measures.tsv",
        qc="<person>_desc-within_qc.tsv",
        figure="<person>_desc-within_T1w.png",
    log:
        "<logs>/measure_within/sub-{subject}.log",
    benchmark:
        "<benchmarks>/measure_within/sub-{subject}.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=6000,
    params:
        sessions=session_names,
        limits=keys_of("t1w", "min_coverage", "max_border_cm2", "max_voxel_mm"),
    script:
        "../../scripts/measure_within.py"
