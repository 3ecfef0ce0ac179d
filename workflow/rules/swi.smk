rule locate_regions:
    """Align a gradient-echo scan to the T1w, and bring the regions to its own grid."""
    input:
        swi=scans("swi", "swi"),
        magnitude=scans("swi", "magnitude"),
        chimap=scans("qsm", "chimap"),
        parcellation=scans("t1w", "parcellation"),
        t1w_brain=rules.preprocess_t1w.output.brain,
        mask=rules.preprocess_t1w.output.mask,
        gm=rules.segment_t1w.output.gm,
        wm=rules.segment_t1w.output.wm,
        csf=rules.segment_t1w.output.csf,
        from_template=rules.register_t1w.output.from_template,
        to_template=rules.register_t1w.output.to_template,
        atlas=rules.prepare_template.output.atlas,
        table=rules.prepare_template.output.table,
    output:
        brain="<swi>_space-swi_desc-brain_mask.nii.gz",
        regions="<swi>_space-swi_desc-regions_mask.nii.gz",
        names="<swi>_space-swi_desc-regions_mask.tsv",
        mni_mm="<swi>_space-swi_desc-<space>_coordinates.nii.gz",
        xfm="<swi>_from-swi_to-T1w_mode-image_xfm.txt",
    log:
        "<logs>/locate_regions/<who>.log",
    benchmark:
        "<benchmarks>/locate_regions/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w", "swi"),
    params:
        version=VERSION,
        stands_in=lambda wildcards: stands_in(wildcards) == "swi",
    script:
        "../../scripts/locate_regions.py"


rule map_susceptibility:
    """Map susceptibility in ppm from the phase, or take the user's own map."""
    input:
        magnitude=scans("qsm", "magnitude"),
        phase=scans("qsm", "phase"),
        chimap=scans("qsm", "chimap"),
        json=scans("qsm", "json"),
        brain=rules.locate_regions.output.brain,
        regions=rules.locate_regions.output.regions,
        names=rules.locate_regions.output.names,
    output:
        chi="<swi>_Chimap.nii.gz",
        description="<swi>_Chimap.json",
        local="<swi>_desc-local_fieldmap.nii.gz",
        mask="<swi>_space-swi_desc-qsm_mask.nii.gz",
        qc="<swi>_desc-qsm_qc.tsv",
    log:
        "<logs>/map_susceptibility/<who>.log",
    benchmark:
        "<benchmarks>/map_susceptibility/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w", "swi"),
    params:
        **config["qsm"],
        bids_dir=STUDY.bids_dir,
        paramagnetic_sign=config["swi"]["paramagnetic_sign"],
    script:
        "../../scripts/map_susceptibility.py"


in_branch(rules.map_susceptibility, "qsm")


rule map_relaxation:
    """Map R2* of a scan with three echoes or more."""
    input:
        magnitude=scans("r2star", "magnitude"),
        json=scans("r2star", "json"),
        brain=rules.locate_regions.output.brain,
    output:
        r2star="<swi>_R2starmap.nii.gz",
        description="<swi>_R2starmap.json",
    log:
        "<logs>/map_relaxation/<who>.log",
    benchmark:
        "<benchmarks>/map_relaxation/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w", "swi"),
    params:
        bids_dir=STUDY.bids_dir,
    script:
        "../../scripts/map_relaxation.py"


in_branch(rules.map_relaxation, "r2star")


rule measure_swi:
    """Make or take the SWI, normalise it, and measure how dark the precentral cortex is, veins left out."""
    input:
        swi=scans("swi", "swi"),
        magnitude=scans("swi", "magnitude"),
        phase=scans("qsm", "phase"),
        json=scans("swi", "json"),
        chi=has("qsm", rules.map_susceptibility.output.description),
        r2star=has("r2star", rules.map_relaxation.output.r2star),
        # sides are compared with those of a T1w image, not with what was made of the scan itself
        t1w_brain=has("t1w", rules.preprocess_t1w.output.brain),
        t1w_mask=has("t1w", rules.preprocess_t1w.output.mask),
        xfm=rules.locate_regions.output.xfm,
        brain=rules.locate_regions.output.brain,
        regions=rules.locate_regions.output.regions,
        names=rules.locate_regions.output.names,
    output:
        swi="<swi>_space-swi_desc-normalised_swi.nii.gz",
        description="<swi>_space-swi_desc-normalised_swi.json",
        veins="<swi>_space-swi_desc-veins_mask.nii.gz",
        measures="<swi>_desc-precentral_measures.tsv",
        qc="<swi>_desc-swi_qc.tsv",
    log:
        "<logs>/measure_swi/<who>.log",
    benchmark:
        "<benchmarks>/measure_swi/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w", "swi"),
    params:
        bids_dir=STUDY.bids_dir,
        bias_correction=config["swi"]["bias_correction"],
        without_t1w=lambda wildcards: stands_in(wildcards) is not None,
        dark_percentile=config["swi"]["dark_percentile"],
        min_voxels=config["swi"]["min_voxels"],
        max_in_plane_mm=config["swi"]["max_in_plane_mm"],
    script:
        "../../scripts/measure_swi.py"


rule measure_qsm:
    """Measure the susceptibility of the precentral cortex, veins left out."""
    input:
        chi=rules.map_susceptibility.output.chi,
        mask=rules.map_susceptibility.output.mask,
        description=rules.map_susceptibility.output.description,
        r2star=has("r2star", rules.map_relaxation.output.r2star),
        relaxation=has("r2star", rules.map_relaxation.output.description),
        veins=has("swi", rules.measure_swi.output.veins),
        regions=rules.locate_regions.output.regions,
        names=rules.locate_regions.output.names,
    output:
        measures="<swi>_desc-susceptibility_measures.tsv",
    log:
        "<logs>/measure_qsm/<who>.log",
    benchmark:
        "<benchmarks>/measure_qsm/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w", "swi"),
    params:
        min_voxels=config["swi"]["min_voxels"],
        max_in_plane_mm=config["swi"]["max_in_plane_mm"],
    script:
        "../../scripts/measure_qsm.py"


alone(rules.measure_qsm, "qsm")


rule unfold_sulcus:
    """Paint the SWI, and the susceptibility, onto the two banks of the central sulcus."""
    input:
        swi=has("swi", rules.measure_swi.output.swi),
        chi=has("qsm", rules.map_susceptibility.output.chi),
        veins=has("swi", rules.measure_swi.output.veins),
        regions=rules.locate_regions.output.regions,
        names=rules.locate_regions.output.names,
        mni_mm=rules.locate_regions.output.mni_mm,
    output:
        strip="<swi>_desc-centralsulcus_strip.tsv",
        json="<swi>_desc-centralsulcus_strip.json",
    log:
        "<logs>/unfold_sulcus/<who>.log",
    benchmark:
        "<benchmarks>/unfold_sulcus/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w", "swi"),
    params:
        max_in_plane_mm=config["swi"]["max_in_plane_mm"],
        space=SPACE,
    script:
        "../../scripts/unfold_sulcus.py"


alone(rules.unfold_sulcus, "strip")
