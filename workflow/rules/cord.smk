rule measure_cord:
    """Measure the cross-section of the upper cervical cord, and the size of the brainstem's parts."""
    input:
        # as scanned: where the correction of the brain's shading ends, there is a step
        t1w=scan("t1w", "image"),
        mask=rules.preprocess_t1w.output.mask,
        fov=rules.preprocess_t1w.output.fov,
        to_template=rules.register_t1w.output.to_template,
        from_template=rules.register_t1w.output.from_template,
    output:
        measures="<anat>_desc-cord_measures.tsv",
        qc="<anat>_desc-cord_qc.tsv",
        profile="<anat>_desc-cord_profile.tsv",
        planes="<anat>_desc-cord_T1w.nii.gz",
        inside="<anat>_desc-cord_mask.nii.gz",
        midsagittal="<anat>_desc-midsagittal_T1w.nii.gz",
        parts="<anat>_desc-midsagittal_probseg.nii.gz",
    log:
        "<logs>/measure_cord/<who>.log",
    benchmark:
        "<benchmarks>/measure_cord/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w"),
    params:
        version=VERSION,
    script:
        "../../scripts/measure_cord.py"


alone(rules.measure_cord, "t1w")
