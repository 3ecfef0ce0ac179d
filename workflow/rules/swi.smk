rule preprocess_swi:
    """Make or take the SWI, normalise it, and bring the regions to its own grid."""
    input:
        swi=scans("swi", "swi"),
        magnitude=scans("swi", "magnitude"),
        phase=scans("swi", "phase"),
        t1w=rules.preprocess_t1w.output.t1w,
        mask=rules.preprocess_t1w.output.mask,
        gm=rules.segment_t1w.output.gm,
        wm=rules.segment_t1w.output.wm,
        csf=rules.segment_t1w.output.csf,
        from_template=rules.register_t1w.output.from_template,
        atlas=rules.prepare_template.output.atlas,
        table=rules.prepare_template.output.table,
    output:
        swi="<swi>_space-swi_desc-normalised_swi.nii.gz",
        json="<swi>_space-swi_desc-normalised_swi.json",
        regions="<swi>_space-swi_desc-regions_mask.nii.gz",
        names="<swi>_space-swi_desc-regions_mask.tsv",
        xfm="<swi>_from-swi_to-T1w_mode-image_xfm.txt",
    log:
        "<logs>/preprocess_swi/sub-{subject}.log",
    benchmark:
        "<benchmarks>/preprocess_swi/sub-{subject}.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=6000,
    params:
        version=VERSION,
        bias_correction=config["swi"]["bias_correction"],
        paramagnetic_sign=config["swi"]["paramagnetic_sign"],
    script:
        "../../scripts/preprocess_swi.py"


rule measure_swi:
    """Measure how dark the precentral cortex is, veins left out."""
    input:
        swi=rules.preprocess_swi.output.swi,
        json=rules.preprocess_swi.output.json,
        regions=rules.preprocess_swi.output.regions,
        names=rules.preprocess_swi.output.names,
    output:
        veins="<swi>_space-swi_desc-veins_mask.nii.gz",
        measures="<swi>_desc-precentral_measures.tsv",
        qc="<swi>_desc-swi_qc.tsv",
    log:
        "<logs>/measure_swi/sub-{subject}.log",
    benchmark:
        "<benchmarks>/measure_swi/sub-{subject}.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=4000,
    params:
        dark_percentile=config["swi"]["dark_percentile"],
        min_voxels=config["swi"]["min_voxels"],
        max_in_plane_mm=config["swi"]["max_in_plane_mm"],
    script:
        "../../scripts/measure_swi.py"
