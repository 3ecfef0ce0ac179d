rule smooth_fa:
    """Average a person's FA in template space over white matter."""
    input:
        fa=rules.fit_tensor.output.fa_template,
        wm=rules.segment_t1w.output.wm,
        xfm=rules.preprocess_dwi.output.xfm,
        # FA came by this, and so does the white matter that it is averaged over
        to_template=rules.fit_tensor.output.to_template,
    output:
        fa="<dwi>_space-<space>_model-tensor_param-fa_desc-smoothed_dwimap.nii.gz",
    log:
        "<logs>/smooth_fa/<who>.log",
    benchmark:
        "<benchmarks>/smooth_fa/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        fwhm_mm=config["vbm"]["fwhm_mm"],
    script:
        "../../scripts/smooth_fa.py"


in_branch(rules.smooth_fa, "dwi")


rule smooth_swi:
    """Average a person's SWI in template space over grey matter."""
    input:
        swi=rules.measure_swi.output.swi,
        brain=rules.locate_regions.output.brain,
        veins=rules.measure_swi.output.veins,
        gm=rules.segment_t1w.output.gm,
        xfm=rules.locate_regions.output.xfm,
        to_template=rules.register_t1w.output.to_template,
        template=rules.prepare_template.output.template,
    output:
        swi="<swi>_space-<space>_desc-smoothed_swi.nii.gz",
    log:
        "<logs>/smooth_swi/<who>.log",
    benchmark:
        "<benchmarks>/smooth_swi/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        voxel_mm=config["vbm"]["voxel_mm"],
        fwhm_mm=config["vbm"]["fwhm_mm"],
    script:
        "../../scripts/smooth_swi.py"


in_branch(rules.smooth_swi, "swi")


# Kinds of maps that are compared voxel by voxel: whose, which files, and where (the mean of these maps,
# smoothed by mask_fwhm_mm, above a threshold). SWI is compared too where voxels are too long to measure grey matter: of
# this only the map that is not smoothed has values then. A map has the covariates of its measure (measure_covariates), as head size of volumes.
MAPS = {
    "vbm": dict(
        modality="t1w",
        title="Grey-matter volume",
        maps=rules.segment_t1w.output.smoothed,
        mask=rules.segment_t1w.output.smoothed,
        threshold=0.2,
        mask_fwhm_mm=0,
        measure="volume",
    ),
    "vbm_headsize": dict(
        modality="t1w",
        title="Grey-matter volume corrected for head size",
        maps=rules.segment_t1w.output.corrected,
        mask=rules.segment_t1w.output.smoothed,
        threshold=0.2,
        mask_fwhm_mm=0,
        measure="corrected_volume",
    ),
    "fa": dict(
        modality="dwi",
        title="Fractional anisotropy",
        maps=rules.smooth_fa.output.fa,
        mask=rules.smooth_fa.output.fa,
        threshold=0.2,
        mask_fwhm_mm=0,
        measure="fa",
    ),
    "swi": dict(
        modality="swi",
        title="Signal on SWI",
        maps=rules.smooth_swi.output.swi,
        mask=rules.segment_t1w.output.modulated,
        threshold=0.2,
        mask_fwhm_mm=config["vbm"]["fwhm_mm"],
        measure="normalised_signal",
    ),
}
MAPS |= {
    name: dict(
        modality=name,
        title=f"Map {name}",
        maps=expand(rules.smooth_map.output.smoothed, map=name, allow_missing=True)[0],
        mask=expand(rules.smooth_map.output.tissue, map=name, allow_missing=True)[0],
        threshold=0.2,
        mask_fwhm_mm=0,
        measure=MEASURE[own["quantity"]],
    )
    for name, own in config["maps"].items()
    if own["voxelwise"]
}
MAPS = {
    kind: own
    for kind, own in MAPS.items()
    if counted(own["modality"]) and (not PART or own["modality"] in PARTS[PART])
}


rule compare_maps:
    """Compare the groups voxel by voxel, corrected over the brain."""
    input:
        **PARTICIPANTS,
        **(
            {}
            if SPACE == BUILTIN_SPACE and config["atlas"]["builtin"]
            else {
                name: rules.prepare_template.output[name]
                for name in ("atlas", "table")
            }
        ),
        maps=everybodys("maps"),
        mask=everybodys("mask"),
        measures=TABLES.measures,
        quality=OF_SCANS,
        # clusters are named by the built-in atlases, except in a space of the user's own
    output:
        maps=directory("<group>/{maps}/statmaps"),
        summary="<group>/{maps}/summary.tsv",
        dictionary="<group>/{maps}/summary.json",
        clusters="<group>/{maps}/clusters.tsv",
        clusters_dictionary="<group>/{maps}/clusters.json",
    log:
        "<logs>/compare_maps/{maps}.log",
    benchmark:
        "<benchmarks>/compare_maps/{maps}.tsv"
    wildcard_constraints:
        maps="|".join(MAPS),
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=4000,
    params:
        options=CONTRASTS
        | dict(
            # maps are not harmonised: the site is a covariate of theirs whatever is done to the measures
            covariates=list(dict.fromkeys([*config["covariates"], *SITES])),
            measure_covariates=config["measure_covariates"],
            tested=config["statistics"]["map_covariates"],
            n_permutations=config["statistics"]["map_permutations"],
            seed=config["statistics"]["seed"],
        ),
        place=lambda wildcards: dict(
            modality=MAPS[wildcards.maps]["modality"],
            measure=MAPS[wildcards.maps]["measure"],
        ),
        threshold=of_kind("threshold"),
        mask_fwhm_mm=of_kind("mask_fwhm_mm"),
        reasons=without_map,
        space=SPACE,
    script:
        "../../scripts/compare_maps.py"


rule draw_maps:
    """Draw where in the brain the groups differ, in pictures and on a page to be looked at slice by slice."""
    input:
        template=rules.prepare_template.output.template,
        maps=rules.compare_maps.output.maps,
        summary=rules.compare_maps.output.summary,
        clusters=rules.compare_maps.output.clusters,
    output:
        figures=report(
            directory("<group>/{maps}/figures"),
            patterns=["{contrast}.png"],
            caption="../report/draw_maps.rst",
            category="Group",
            subcategory="{maps}",
        ),
        viewer="<group>/{maps}/viewer.html",
    log:
        "<logs>/draw_maps/{maps}.log",
    benchmark:
        "<benchmarks>/draw_maps/{maps}.tsv"
    wildcard_constraints:
        maps="|".join(MAPS),
    conda:
        "../../envs/mndmri.yaml"
    params:
        title=of_kind("title"),
        alpha=config["statistics"]["alpha"],
        space=SPACE,
    script:
        "../../scripts/draw_maps.py"


MAP_TABLES = collect(rules.compare_maps.output.summary, maps=MAPS)
MAP_FIGURES = collect(rules.draw_maps.output.figures, maps=MAPS)
