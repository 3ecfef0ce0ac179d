rule preprocess_dwi:
    """Free a diffusion series of noise, ringing, motion and distortion, and align it with the T1w."""
    input:
        dwi=scan("dwi", "image"),
        bval=scan("dwi", "bval"),
        bvec=scan("dwi", "bvec"),
        json=scans("dwi", "json"),
        # "reverse" itself is a name that Snakemake keeps
        opposite=scans("dwi", "reverse"),
        opposite_bval=scans("dwi", "reverse_bval"),
        opposite_json=scans("dwi", "reverse_json"),
        fieldmap=scans("dwi", "fieldmap"),
        fieldmap_magnitude=scans("dwi", "fieldmap_magnitude"),
        fieldmap_json=scans("dwi", "fieldmap_json"),
        brain=rules.preprocess_t1w.output.brain,
        mask=rules.preprocess_t1w.output.mask,
        tissue_gm=for_distortion("t1w", rules.segment_t1w.output.gm),
        tissue_wm=for_distortion("t1w", rules.segment_t1w.output.wm),
        tissue_csf=for_distortion("t1w", rules.segment_t1w.output.csf),
    output:
        series="<dwi>_space-dwi_desc-preproc_dwi.nii.gz",
        bval="<dwi>_space-dwi_desc-preproc_dwi.bval",
        bvec="<dwi>_space-dwi_desc-preproc_dwi.bvec",
        json="<dwi>_space-dwi_desc-preproc_dwi.json",
        mask="<dwi>_space-dwi_desc-brain_mask.nii.gz",
        fov="<dwi>_space-dwi_desc-fov_mask.nii.gz",
        b0="<dwi>_space-dwi_desc-preproc_dwiref.nii.gz",
        b0_scanned="<dwi>_space-dwi_desc-scanned_dwiref.nii.gz",
        displacement_mm="<dwi>_space-dwi_desc-distortion_displacement.nii.gz",
        motion="<dwi>_desc-motion_timeseries.tsv",
        xfm="<dwi>_from-dwi_to-T1w_mode-image_xfm.txt",
        qc="<dwi>_desc-preproc_qc.tsv",
    log:
        "<logs>/preprocess_dwi/<who>.log",
    benchmark:
        "<benchmarks>/preprocess_dwi/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w", "dwi"),
    params:
        version=VERSION,
        bids_dir=STUDY.bids_dir,
        distortion=distortion_of,
        steps={
            step: config["dwi"][step]
            for step in ("denoise", "gibbs", "motion", "outlier_sd")
        },
    script:
        "../../scripts/preprocess_dwi.py"


rule fit_tensor:
    """Fit the tensor, and bring its maps to the template in one interpolation."""
    input:
        dwi=rules.preprocess_dwi.output.series,
        bval=rules.preprocess_dwi.output.bval,
        bvec=rules.preprocess_dwi.output.bvec,
        mask=rules.preprocess_dwi.output.mask,
        fov=rules.preprocess_dwi.output.fov,
        xfm=rules.preprocess_dwi.output.xfm,
        brain=rules.preprocess_t1w.output.mask,
        t1w_fov=rules.preprocess_t1w.output.fov,
        t1w_to_template=rules.register_t1w.output.to_template,
        t1w_from_template=rules.register_t1w.output.from_template,
        template=rules.prepare_template.output.template,
        template_tissue=rules.prepare_template.output.tissue,
    output:
        **{
            name: f"<dwi>_space-dwi_model-tensor_param-{name}_dwimap.nii.gz"
            for name in ("fa", "md", "ad", "rd", "v1")
        },
        **{
            f"{name}_template": f"<dwi>_space-<space>_model-tensor_param-{name}_dwimap.nii.gz"
            for name in ("fa", "md", "ad", "rd")
        },
        to_template="<dwi>_from-dwi_to-<space>_mode-image_xfm.nii.gz",
        from_template="<dwi>_from-<space>_to-dwi_mode-image_xfm.nii.gz",
        json="<dwi>_space-dwi_model-tensor_dwimap.json",
    log:
        "<logs>/fit_tensor/<who>.log",
    benchmark:
        "<benchmarks>/fit_tensor/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w", "dwi"),
    params:
        max_b=config["dwi"]["max_b"],
        tensor_fit=config["dwi"]["tensor_fit"],
        voxel_mm=config["vbm"]["voxel_mm"],
    script:
        "../../scripts/fit_tensor.py"


rule check_gradients:
    """Compare a person's gradient table with the images, once volumes are aligned, and with the 23 others of its kind."""
    input:
        dwi=scan("dwi", "image"),
        bval=scan("dwi", "bval"),
        bvec=scan("dwi", "bvec"),
        fa=rules.fit_tensor.output.fa,
        v1=rules.fit_tensor.output.v1,
    output:
        ranking="<dwi>_desc-gradients_ranking.tsv",
        qc="<dwi>_desc-gradients_qc.tsv",
    log:
        "<logs>/check_gradients/<who>.log",
    benchmark:
        "<benchmarks>/check_gradients/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w", "dwi"),
    params:
        gradient_check=config["dwi"]["gradient_check"],
        bvec_name=lambda wildcards: Path(scan("dwi", "bvec")(wildcards)).name,
        # paths in parameters know no pathvars
        suggestion=lambda wildcards: f"{RESULTS}/{WHERE}/dwi/{WHO}_desc-suggested_dwi.bvec".format(
            **wildcards
        ),
    script:
        "../../scripts/check_gradients.py"


# When a region of the tract has a value.
ON_TRACT = dict(
    min_fa=config["dwi"]["min_fa"],
    min_coverage=config["dwi"]["min_coverage"],
    min_voxels=config["dwi"]["min_voxels"],
    min_aligned=config["dwi"]["min_aligned_fraction"],
)


rule extract_cst:
    """Measure the corticospinal tract in the person's own diffusion space."""
    input:
        **{
            name: rules.fit_tensor.output[name]
            for name in (
                *("fa", "md", "ad", "rd", "v1", "json"),
                *("to_template", "from_template"),
            )
        },
        checked=(
            rules.check_gradients.output.ranking
            if config["dwi"]["gradient_check"]
            else []
        ),
        preproc_qc=rules.preprocess_dwi.output.qc,
        dwi=rules.preprocess_dwi.output.series,
        bval=rules.preprocess_dwi.output.bval,
        mask=rules.preprocess_dwi.output.mask,
        fov=rules.preprocess_dwi.output.fov,
        xfm=rules.preprocess_dwi.output.xfm,
        wm=rules.segment_t1w.output.wm,
        atlas=rules.prepare_template.output.atlas,
        table=rules.prepare_template.output.table,
    output:
        weights="<dwi>_space-dwi_atlas-mndmri_probseg.nii.gz",
        table="<dwi>_space-dwi_atlas-mndmri_probseg.tsv",
        mni_mm="<dwi>_space-dwi_desc-<space>_coordinates.nii.gz",
        wm="<dwi>_space-dwi_label-WM_probseg.nii.gz",
        measures="<dwi>_desc-cst_measures.tsv",
        profile="<dwi>_desc-cst_profile.tsv",
        qc="<dwi>_desc-dwi_qc.tsv",
    log:
        "<logs>/extract_cst/<who>.log",
    benchmark:
        "<benchmarks>/extract_cst/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w", "dwi"),
    params:
        **ON_TRACT,
    script:
        "../../scripts/extract_cst.py"


rule track_cst:
    """Track the corticospinal tract, and measure along its streamlines."""
    input:
        **{name: rules.fit_tensor.output[name] for name in ("fa", "md", "ad", "rd")},
        **{
            name: rules.extract_cst.output[name]
            for name in ("weights", "table", "mni_mm", "wm")
        },
        dwi=rules.preprocess_dwi.output.series,
        bval=rules.preprocess_dwi.output.bval,
        bvec=rules.preprocess_dwi.output.bvec,
    output:
        left="<dwi>_space-dwi_hemi-L_label-CST_tractogram.trk",
        right="<dwi>_space-dwi_hemi-R_label-CST_tractogram.trk",
        profile="<dwi>_desc-tracked_profile.tsv",
        qc="<dwi>_desc-tracked_qc.tsv",
    log:
        "<logs>/track_cst/<who>.log",
    benchmark:
        "<benchmarks>/track_cst/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w", "dwi"),
    params:
        min_coverage=config["dwi"]["min_coverage"],
        min_fa=config["dwi"]["min_fa"],
        seed=config["statistics"]["seed"],
    script:
        "../../scripts/track_cst.py"


alone(rules.track_cst, "tracking")


# What the models that need several shells are fitted to, and where they are measured.
SEVERAL_SHELLS = dict(
    dwi=rules.preprocess_dwi.output.series,
    bval=rules.preprocess_dwi.output.bval,
    bvec=rules.preprocess_dwi.output.bvec,
    mask=rules.preprocess_dwi.output.mask,
    fa=rules.fit_tensor.output.fa,
    **{
        name: rules.extract_cst.output[name]
        for name in ("weights", "table", "wm", "measures")
    },
)


rule map_free_water:
    """Tell free water from tissue, where a series has the shells for it, and measure both on the tract."""
    input:
        **SEVERAL_SHELLS,
    output:
        **{
            name: f"<dwi>_space-dwi_model-freewater_param-{name}_dwimap.nii.gz"
            for name in ("fraction", "fa", "md")
        },
        json="<dwi>_space-dwi_model-freewater_dwimap.json",
        measures="<dwi>_desc-freewater_measures.tsv",
    log:
        "<logs>/map_free_water/<who>.log",
    benchmark:
        "<benchmarks>/map_free_water/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w", "dwi"),
    params:
        **ON_TRACT,
    script:
        "../../scripts/map_free_water.py"


alone(rules.map_free_water, "free_water")


rule map_kurtosis:
    """Fit the kurtosis, where a series has the shells for it, and measure it on the tract."""
    input:
        **SEVERAL_SHELLS,
    output:
        **{
            name: f"<dwi>_space-dwi_model-kurtosis_param-{name}_dwimap.nii.gz"
            for name in ("mk", "ak", "rk")
        },
        json="<dwi>_space-dwi_model-kurtosis_dwimap.json",
        measures="<dwi>_desc-kurtosis_measures.tsv",
    log:
        "<logs>/map_kurtosis/<who>.log",
    benchmark:
        "<benchmarks>/map_kurtosis/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w", "dwi"),
    params:
        **ON_TRACT,
    script:
        "../../scripts/map_kurtosis.py"


alone(rules.map_kurtosis, "kurtosis")
