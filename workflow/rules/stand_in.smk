rule make_stand_in:
    """Make an image that takes the place of the T1w image, from another scan, for those who have none."""
    input:
        gradient_echo=standing_in("swi", "magnitude", "swi"),
        dwi=standing_in("dwi", "image"),
        bval=standing_in("dwi", "bval"),
        bvec=standing_in("dwi", "bvec"),
        template=rules.prepare_template.output.registration,
        tissue=rules.prepare_template.output.tissue,
    output:
        t1w="<anat>_desc-standin_T1w.nii.gz",
        mask="<anat>_desc-standin_mask.nii.gz",
        qc="<anat>_desc-standin_qc.tsv",
    log:
        "<logs>/make_stand_in/<who>.log",
    benchmark:
        "<benchmarks>/make_stand_in/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w"),
    params:
        version=VERSION,
        max_b=config["dwi"]["max_b"],
    script:
        "../../scripts/make_stand_in.py"
