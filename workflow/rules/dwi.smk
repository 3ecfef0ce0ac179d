rule preprocess_dwi:
    """Free a diffusion series of noise, ringing and head motion, and align it with the T1w."""
    input:
        dwi=scan("dwi", "image"),
        bval=scan("dwi", "bval"),
        bvec=scan("dwi", "bvec"),
        t1w=rules.preprocess_t1w.output.t1w,
        mask=rules.preprocess_t1w.output.mask,
    output:
        dwi="<dwi>_space-dwi_desc-preproc_dwi.nii.gz",
        bval="<dwi>_space-dwi_desc-preproc_dwi.bval",
        bvec="<dwi>_space-dwi_desc-preproc_dwi.bvec",
        mask="<dwi>_space-dwi_desc-brain_mask.nii.gz",
        fov="<dwi>_space-dwi_desc-fov_mask.nii.gz",
        motion="<dwi>_desc-motion_timeseries.tsv",
        xfm="<dwi>_from-dwi_to-T1w_mode-image_xfm.txt",
    log:
        "<logs>/preprocess_dwi/sub-{subject}.log",
    benchmark:
        "<benchmarks>/preprocess_dwi/sub-{subject}.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=4000,
    params:
        version=VERSION,
        steps={step: config["dwi"][step] for step in ("denoise", "gibbs", "motion")},
    script:
        "../../scripts/preprocess_dwi.py"


rule fit_tensor:
    """Fit the tensor, and bring its maps to the template in one interpolation."""
    input:
        dwi=rules.preprocess_dwi.output.dwi,
        bval=rules.preprocess_dwi.output.bval,
        bvec=rules.preprocess_dwi.output.bvec,
        mask=rules.preprocess_dwi.output.mask,
        xfm=rules.preprocess_dwi.output.xfm,
        to_template=rules.register_t1w.output.to_template,
        template=rules.prepare_template.output.template,
    output:
        **{
            name: f"<dwi>_space-dwi_model-tensor_param-{name}_dwimap.nii.gz"
            for name in ("fa", "md", "ad", "rd", "v1")
        },
        **{
            f"{name}_template": f"<dwi>_space-<space>_model-tensor_param-{name}_dwimap.nii.gz"
            for name in ("fa", "md", "ad", "rd")
        },
        json="<dwi>_space-dwi_model-tensor_dwimap.json",
    log:
        "<logs>/fit_tensor/sub-{subject}.log",
    benchmark:
        "<benchmarks>/fit_tensor/sub-{subject}.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=4000,
    params:
        max_b=config["dwi"]["max_b"],
        voxel_mm=config["vbm"]["voxel_mm"],
    script:
        "../../scripts/fit_tensor.py"


rule extract_cst:
    """Measure the corticospinal tract in the person's own diffusion space."""
    input:
        **{
            name: rules.fit_tensor.output[name]
            for name in ("fa", "md", "ad", "rd", "json")
        },
        motion=rules.preprocess_dwi.output.motion,
        fov=rules.preprocess_dwi.output.fov,
        xfm=rules.preprocess_dwi.output.xfm,
        wm=rules.segment_t1w.output.wm,
        to_template=rules.register_t1w.output.to_template,
        from_template=rules.register_t1w.output.from_template,
        atlas=rules.prepare_template.output.atlas,
        table=rules.prepare_template.output.table,
    output:
        tract="<dwi>_space-dwi_label-CST_probseg.nii.gz",
        measures="<dwi>_desc-cst_measures.tsv",
        profile="<dwi>_desc-cst_profile.tsv",
        qc="<dwi>_desc-dwi_qc.tsv",
    log:
        "<logs>/extract_cst/sub-{subject}.log",
    benchmark:
        "<benchmarks>/extract_cst/sub-{subject}.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=4000,
    params:
        min_fa=config["dwi"]["min_fa"],
        min_coverage=config["dwi"]["min_coverage"],
        min_voxels=config["dwi"]["min_voxels"],
    script:
        "../../scripts/extract_cst.py"
