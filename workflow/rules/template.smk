rule prepare_template:
    """Write the template, its regions and its tissue where every job finds them."""
    output:
        template="<resources>/tpl-<space>_res-01_desc-brain_T1w.nii.gz",
        registration="<resources>/tpl-<space>_desc-registration_T1w.nii.gz",
        tissue="<resources>/tpl-<space>_desc-tissue_probseg.nii.gz",
        nuclei="<resources>/tpl-<space>_res-01_desc-nuclei_probseg.nii.gz",
        compared="<resources>/tpl-<space>_desc-compared_mask.nii.gz",
        # not compressed, so that a job reads the regions it needs and no more
        atlas="<resources>/tpl-<space>_res-01_atlas-mndmri_probseg.nii",
        table="<resources>/tpl-<space>_atlas-mndmri_dseg.tsv",
    log:
        "<logs>/prepare_template/study.log",
    benchmark:
        "<benchmarks>/prepare_template/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=4000,
    params:
        version=VERSION,
        registration_mm=config["t1w"]["registration_mm"],
    script:
        "../../scripts/prepare_template.py"
