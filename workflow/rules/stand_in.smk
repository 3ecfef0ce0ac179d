rule make_stand_in:
    """Make an image that takes the place of the T1w image, from FA and diffusivity, for those who have none."""
    input:
        dwi=scan("dwi", "image"),
        bval=scan("dwi", "bval"),
        bvec=scan("dwi", "bvec"),
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
        mem_mb=memory("dwi"),
    params:
        version=VERSION,
        max_b=config["dwi"]["max_b"],
    script:
        "../../scripts/make_stand_in.py"
