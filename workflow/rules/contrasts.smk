rule align_map:
    """Align a map or contrast with the T1w image; an image without a unit is corrected for its bias field."""
    input:
        # the T1w image lies on its own tissue
        **{
            name: of_aligned(**{ITSELF: []}, others=rules.segment_t1w.output[name])
            for name in ("gm", "wm", "csf")
        },
        image=scan("{map}", "image"),
        register=scans("{map}", "register"),
        brain=of_aligned(nothing=rules.preprocess_t1w.output.brain),
        to_map=of_aligned(
            dwi=rules.preprocess_dwi.output.xfm, swi=rules.locate_regions.output.xfm
        ),
        to_t1w=of_aligned(template=rules.register_t1w.output.from_template),
        mask=rules.preprocess_t1w.output.mask,
    output:
        image="<maps>_desc-{map}_map.nii.gz",
        xfm="<maps>_from-{map}_to-T1w_mode-image_xfm.txt",
        qc="<maps>_desc-{map}_qc.tsv",
    log:
        "<logs>/align_map/<who>_{map}.log",
    benchmark:
        "<benchmarks>/align_map/<who>_{map}.tsv"
    wildcard_constraints:
        map="|".join(DECLARED_MAPS),
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w", "{map}"),
    params:
        version=VERSION,
        modality="{map}",
        quantity=of_map("quantity"),
    script:
        "../../scripts/align_map.py"


alone(rules.align_map, "{map}")


rule measure_map:
    """Measure a map or contrast in the tract, the callosum, gyri and the precentral cortex."""
    input:
        **{
            name: of_aligned(dwi=path)
            for name, path in dict(
                dwi_from_template=rules.fit_tensor.output.from_template,
                dwi_to_template=rules.fit_tensor.output.to_template,
                fa=rules.fit_tensor.output.fa,
                fov=rules.preprocess_dwi.output.fov,
                direction=rules.extract_cst.output.measures,
            ).items()
        },
        image=rules.align_map.output.image,
        xfm=rules.align_map.output.xfm,
        brain=rules.preprocess_t1w.output.brain,
        mask=rules.preprocess_t1w.output.mask,
        gm=rules.segment_t1w.output.gm,
        wm=rules.segment_t1w.output.wm,
        csf=rules.segment_t1w.output.csf,
        parcellation=of_user(
            lambda wildcards: (
                scans("t1w", "parcellation")(wildcards)
                if "precentral" in of_map("where")(wildcards)
                else []
            )
        ),
        to_template=rules.register_t1w.output.to_template,
        from_template=rules.register_t1w.output.from_template,
        veins=of_aligned(swi=has("swi", rules.measure_swi.output.veins)),
        atlas=rules.prepare_template.output.atlas,
        table=rules.prepare_template.output.table,
    output:
        measures="<maps>_desc-{map}_measures.tsv",
        profile="<maps>_desc-{map}_profile.tsv",
        json="<maps>_desc-{map}_map.json",
    log:
        "<logs>/measure_map/<who>_{map}.log",
    benchmark:
        "<benchmarks>/measure_map/<who>_{map}.tsv"
    wildcard_constraints:
        map="|".join(DECLARED_MAPS),
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w", "{map}"),
    params:
        modality="{map}",
        declared=lambda wildcards: {
            key: DECLARED_MAPS[wildcards.map][key]
            for key in ("quantity", "unit", "where")
        },
        thresholds=lambda wildcards: (
            keys_of("signal", "min_coverage", "min_voxels")
            | (
                keys_of("swi", "max_in_plane_mm")
                if "precentral" in of_map("where")(wildcards)
                else {}
            )
            | (
                keys_of("dwi", "min_fa")
                if of_map("aligned")(wildcards) == "dwi"
                else {}
            )
        ),
        min_aligned=lambda wildcards: (
            config["dwi"]["min_aligned_fraction"]
            if of_map("aligned")(wildcards) == "dwi"
            else None
        ),
    script:
        "../../scripts/measure_map.py"


alone(rules.measure_map, "{map}")


rule smooth_map:
    """Average a person's map in template space over a tissue."""
    input:
        image=rules.align_map.output.image,
        xfm=rules.align_map.output.xfm,
        json=rules.measure_map.output.json,
        tissue=lambda wildcards: rules.segment_t1w.output[
            DECLARED_MAPS[wildcards.map]["voxelwise"]["tissue"]
        ],
        to_template=rules.register_t1w.output.to_template,
        dwi_to_template=of_aligned(dwi=rules.fit_tensor.output.to_template),
        template=rules.prepare_template.output.template,
    output:
        smoothed="<maps>_space-<space>_desc-{map}smoothed_map.nii.gz",
        tissue="<maps>_space-<space>_desc-{map}tissue_probseg.nii.gz",
    log:
        "<logs>/smooth_map/<who>_{map}.log",
    benchmark:
        "<benchmarks>/smooth_map/<who>_{map}.tsv"
    wildcard_constraints:
        map="|".join(DECLARED_MAPS),
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w", "{map}"),
    params:
        voxel_mm=config["vbm"]["voxel_mm"],
        fwhm_mm=lambda wildcards: DECLARED_MAPS[wildcards.map]["voxelwise"]["fwhm_mm"],
    script:
        "../../scripts/smooth_map.py"


alone(rules.smooth_map, "{map}")
