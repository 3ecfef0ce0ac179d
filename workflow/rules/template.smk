rule prepare_template:
    """Write the template, its regions and its tissue where every job finds them."""
    input:
        **{f"own_{key}": config["atlas"][key] or [] for key in OWN_ATLAS},
    output:
        template="<resources>/tpl-<space>_res-01_desc-brain_T1w.nii.gz",
        registration="<resources>/tpl-<space>_desc-registration_T1w.nii.gz",
        tissue="<resources>/tpl-<space>_desc-tissue_probseg.nii.gz",
        nuclei="<resources>/tpl-<space>_res-01_desc-nuclei_probseg.nii.gz",
        lobes="<resources>/tpl-<space>_res-01_desc-lobes_dseg.nii.gz",
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
        mem_mb=6000,
    params:
        version=VERSION,
        builtin=config["atlas"]["builtin"],
        registration_mm=config["t1w"]["registration_mm"],
        # by these the built-in atlas is brought to a template of the user's own
        engine=config["atlas"]["template"] and config["t1w"]["registration_engine"],
        iterations=config["atlas"]["template"]
        and config["t1w"]["registration_iterations"],
    script:
        "../../scripts/prepare_template.py"
