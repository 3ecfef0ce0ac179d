rule measure_thickness:
    """Measure how thick the precentral and postcentral cortex is, and how wide the sulcus between them."""
    input:
        gm=rules.segment_t1w.output.gm,
        wm=rules.segment_t1w.output.wm,
        weights=rules.segment_t1w.output.weights,
        table=rules.segment_t1w.output.table,
    output:
        measures="<anat>_desc-thickness_measures.tsv",
        sulcus="<anat>_desc-centralsulcus_mask.nii.gz",
    log:
        "<logs>/measure_thickness/<who>.log",
    benchmark:
        "<benchmarks>/measure_thickness/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w"),
    params:
        version=VERSION,
        max_voxel_mm=config["t1w"]["thickness_max_voxel_mm"],
        min_coverage=config["t1w"]["min_coverage"],
    script:
        "../../scripts/measure_thickness.py"


alone(rules.measure_thickness, "t1w")
