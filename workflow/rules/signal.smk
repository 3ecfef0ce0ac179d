rule measure_thickness:
    """Measure how thick the precentral and postcentral cortex is."""
    input:
        gm=rules.segment_t1w.output.gm,
        wm=rules.segment_t1w.output.wm,
        weights=rules.segment_t1w.output.weights,
        table=rules.segment_t1w.output.table,
    output:
        measures="<anat>_desc-thickness_measures.tsv",
    log:
        "<logs>/measure_thickness/sub-{subject}.log",
    benchmark:
        "<benchmarks>/measure_thickness/sub-{subject}.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w", "flair", "t2w"),
    params:
        version=VERSION,
        max_voxel_mm=config["t1w"]["thickness_max_voxel_mm"],
        min_coverage=config["t1w"]["min_coverage"],
    script:
        "../../scripts/measure_thickness.py"


alone(rules.measure_thickness, "t1w")


rule align_contrast:
    """Align a contrast to the T1w, and remove its shading without removing the tract's brightness."""
    input:
        image=scan("{contrast}", "image"),
        # the T1w image needs no registration to itself
        brain=lambda wildcards: (
            [] if wildcards.contrast == "T1w" else rules.preprocess_t1w.output.brain
        ),
        mask=rules.preprocess_t1w.output.mask,
    output:
        image="<anat>_desc-evened_{contrast}.nii.gz",
        xfm="<anat>_from-{contrast}_to-T1w_mode-image_xfm.txt",
    log:
        "<logs>/align_contrast/sub-{subject}_{contrast}.log",
    benchmark:
        "<benchmarks>/align_contrast/sub-{subject}_{contrast}.tsv"
    wildcard_constraints:
        contrast="T1w|FLAIR|T2w",
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w", "flair", "t2w"),
    params:
        version=VERSION,
    script:
        "../../scripts/align_contrast.py"


alone(rules.align_contrast, "{contrast}")


rule measure_signal:
    """Measure how bright the corticospinal tract is, level by level, on a T1w, FLAIR or T2w image."""
    input:
        image=rules.align_contrast.output.image,
        xfm=rules.align_contrast.output.xfm,
        wm=rules.segment_t1w.output.wm,
        to_template=rules.register_t1w.output.to_template,
        from_template=rules.register_t1w.output.from_template,
        atlas=rules.prepare_template.output.atlas,
        table=rules.prepare_template.output.table,
    output:
        measures="<anat>_desc-{contrast}signal_measures.tsv",
    log:
        "<logs>/measure_signal/sub-{subject}_{contrast}.log",
    benchmark:
        "<benchmarks>/measure_signal/sub-{subject}_{contrast}.tsv"
    wildcard_constraints:
        contrast="T1w|FLAIR|T2w",
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w", "flair", "t2w"),
    params:
        modality=lambda wildcards: wildcards.contrast.lower(),
        min_coverage=config["signal"]["min_coverage"],
        min_voxels=config["signal"]["min_voxels"],
    script:
        "../../scripts/measure_signal.py"


alone(rules.measure_signal, "{contrast}")
