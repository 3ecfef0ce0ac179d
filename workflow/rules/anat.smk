rule preprocess_t1w:
    """Remove the shading of a T1-weighted image and find the brain in it."""
    input:
        t1w=scans("t1w", "image"),
        mask=scans("t1w", "mask"),
        stand_in=stand_in("t1w"),
        stand_in_mask=stand_in("mask"),
        head_template=config["t1w"]["head_template"]["image"] or [],
        head_template_mask=config["t1w"]["head_template"]["mask"] or [],
    output:
        t1w="<anat>_desc-preproc_T1w.nii.gz",
        brain="<anat>_desc-brain_T1w.nii.gz",
        mask="<anat>_desc-brain_mask.nii.gz",
        fov="<anat>_desc-fov_mask.nii.gz",
        qc="<anat>_desc-brain_qc.tsv",
    log:
        "<logs>/preprocess_t1w/<who>.log",
    benchmark:
        "<benchmarks>/preprocess_t1w/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w"),
    params:
        version=VERSION,
        brain_extraction=config["t1w"]["brain_extraction"],
    script:
        "../../scripts/preprocess_t1w.py"


# What people are registered to (see Template), and the transforms between it and the standard template.
MNI = dict(
    target_brain=rules.prepare_template.output.registration,
    target_tissue=rules.prepare_template.output.tissue,
    target_compared=rules.prepare_template.output.compared,
)
TARGET, ONWARD = MNI, dict(study_to_template=[], study_from_template=[])


if config["t1w"]["template"] == "study":

    include: "study.smk"

    TARGET = study_template("target", lambda wildcards: ROUNDS - 1)
    ONWARD = dict(
        study_to_template=rules.register_study.output.to_template,
        study_from_template=rules.register_study.output.from_template,
    )


rule register_t1w:
    """Register a person's brain to the template."""
    input:
        **TARGET,
        **ONWARD,
        template=rules.prepare_template.output.registration,
        t1w=rules.preprocess_t1w.output.t1w,
        brain=rules.preprocess_t1w.output.brain,
        fov=rules.preprocess_t1w.output.fov,
    output:
        to_template="<anat>_from-T1w_to-<space>_mode-image_xfm.nii.gz",
        from_template="<anat>_from-<space>_to-T1w_mode-image_xfm.nii.gz",
        t1w="<anat>_space-<space>_desc-preproc_T1w.nii.gz",
    log:
        "<logs>/register_t1w/<who>.log",
    benchmark:
        "<benchmarks>/register_t1w/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w"),
    params:
        engine=config["t1w"]["registration_engine"],
        iterations=config["t1w"]["registration_iterations"],
    script:
        "../../scripts/register_t1w.py"


rule segment_t1w:
    """Classify tissue, make the VBM maps and measure regional volumes."""
    input:
        template=rules.prepare_template.output.template,
        template_tissue=rules.prepare_template.output.tissue,
        nuclei=rules.prepare_template.output.nuclei,
        lobes=rules.prepare_template.output.lobes,
        atlas=rules.prepare_template.output.atlas,
        table=rules.prepare_template.output.table,
        scanned=scans("t1w", "image"),
        t1w=rules.preprocess_t1w.output.t1w,
        mask=rules.preprocess_t1w.output.mask,
        fov=rules.preprocess_t1w.output.fov,
        to_template=rules.register_t1w.output.to_template,
        from_template=rules.register_t1w.output.from_template,
    output:
        gm="<anat>_label-GM_probseg.nii.gz",
        wm="<anat>_label-WM_probseg.nii.gz",
        csf="<anat>_label-CSF_probseg.nii.gz",
        modulated="<anat>_space-<space>_label-GM_desc-modulated_probseg.nii.gz",
        smoothed="<anat>_space-<space>_label-GM_desc-smoothed_probseg.nii.gz",
        corrected="<anat>_space-<space>_label-GM_desc-headsize_probseg.nii.gz",
        weights="<anat>_space-T1w_atlas-mndmri_probseg.nii.gz",
        table="<anat>_space-T1w_atlas-mndmri_probseg.tsv",
        measures="<anat>_desc-volumes_measures.tsv",
        qc="<anat>_desc-t1w_qc.tsv",
    log:
        "<logs>/segment_t1w/<who>.log",
    benchmark:
        "<benchmarks>/segment_t1w/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w"),
    params:
        voxel_mm=config["vbm"]["voxel_mm"],
        fwhm_mm=config["vbm"]["fwhm_mm"],
        min_coverage=config["t1w"]["min_coverage"],
        max_border_cm2=config["t1w"]["max_border_cm2"],
        max_voxel_mm=config["t1w"]["max_voxel_mm"],
    script:
        "../../scripts/segment_t1w.py"
