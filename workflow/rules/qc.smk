# What a scan's own quality is compared with; a measure's distance from those of the group is no matter of one person.
LIMITS = (
    {name: limit for name, limit in config["qc"].items() if name != "max_robust_z"}
    | keys_of("dwi", "min_coverage")
    | keys_of("t1w", "max_border_cm2")
    | dict(min_region_coverage=config["t1w"]["min_coverage"])
)


# Streamlines of each side, where they are tracked.
TRACTS = joined(
    *(
        has("dwi", rules.track_cst.output[side])
        for side in (("left", "right") if config["dwi"]["tractography"] else ())
    )
)


rule draw_viewer:
    """Put a participant's images, with what was drawn on them, on a page to be looked at slice by slice."""
    input:
        t1w=rules.preprocess_t1w.output.t1w,
        mask=rules.preprocess_t1w.output.mask,
        gm=rules.segment_t1w.output.gm,
        wm=rules.segment_t1w.output.wm,
        atlas_t1w=rules.segment_t1w.output.weights,
        table_t1w=rules.segment_t1w.output.table,
        fa=has("dwi", rules.fit_tensor.output.fa),
        v1=has("dwi", rules.fit_tensor.output.v1),
        atlas_dwi=has("dwi", rules.extract_cst.output.weights),
        table_dwi=has("dwi", rules.extract_cst.output.table),
        tracts=TRACTS,
        swi=has("swi", rules.measure_swi.output.swi),
        veins=has("swi", rules.measure_swi.output.veins),
        chi=has("qsm", rules.map_susceptibility.output.chi),
        regions=has("swi", rules.locate_regions.output.regions, "qsm"),
        names=has("swi", rules.locate_regions.output.names, "qsm"),
    output:
        page="<participant>_viewer.html",
    log:
        "<logs>/draw_viewer/<who>.log",
    benchmark:
        "<benchmarks>/draw_viewer/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w", "dwi", "swi"),
    params:
        version=VERSION,
        anatomical=anatomical,
    script:
        "../../scripts/draw_viewer.py"


rule draw_participant:
    """Draw a participant's pictures and put them on a page with the measures."""
    input:
        t1w=rules.preprocess_t1w.output.t1w,
        mask=rules.preprocess_t1w.output.mask,
        gm=rules.segment_t1w.output.gm,
        wm=rules.segment_t1w.output.wm,
        t1w_template=rules.register_t1w.output.t1w,
        template=rules.prepare_template.output.registration,
        head=scans("t1w", "image"),
        sulcus=(has("t1w", rules.measure_thickness.output.sulcus) if THICKNESS else []),
        cord=joined(
            *(
                has("t1w", rules.measure_cord.output[name])
                for name in ("planes", "inside", "profile")
                if CORD
            )
        ),
        midsagittal=joined(
            *(
                has("t1w", rules.measure_cord.output[name])
                for name in ("midsagittal", "parts")
                if CORD
            )
        ),
        fa=has("dwi", rules.fit_tensor.output.fa),
        v1=has("dwi", rules.fit_tensor.output.v1),
        atlas_dwi=has("dwi", rules.extract_cst.output.weights),
        table_dwi=has("dwi", rules.extract_cst.output.table),
        b0=has("dwi", rules.preprocess_dwi.output.b0),
        b0_scanned=has("dwi", rules.preprocess_dwi.output.b0_scanned),
        wm_dwi=has("dwi", rules.extract_cst.output.wm),
        scanned=scans("dwi", "image"),
        series=has("dwi", rules.preprocess_dwi.output.series),
        bval=has("dwi", rules.preprocess_dwi.output.bval),
        bvec=has("dwi", rules.preprocess_dwi.output.bvec),
        mask_dwi=has("dwi", rules.preprocess_dwi.output.mask),
        motion=has("dwi", rules.preprocess_dwi.output.motion),
        displacement=has("dwi", rules.preprocess_dwi.output.displacement_mm),
        tracts=TRACTS,
        swi=has("swi", rules.measure_swi.output.swi),
        chi=has("qsm", rules.map_susceptibility.output.chi),
        regions=has("swi", rules.locate_regions.output.regions, "qsm"),
        names=has("swi", rules.locate_regions.output.names, "qsm"),
        maps=of_maps(rules.align_map.output.image),
        maps_xfm=of_maps(rules.align_map.output.xfm),
        strip=has("swi", rules.unfold_sulcus.output.strip, "qsm"),
        reader=(
            []
            if PART
            else at_the_baseline(has("swi", rules.draw_reader.output.page, "qsm"))
        ),
        viewer=has("t1w", rules.draw_viewer.output.page, *STAND_INS),
        measures=rules.collect_measures.output.measures,
        qc=rules.collect_measures.output.qc,
    output:
        page="<participant>.html",
    log:
        "<logs>/draw_participant/<who>.log",
    benchmark:
        "<benchmarks>/draw_participant/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w", "dwi", "swi", *DECLARED_MAPS),
    params:
        version=VERSION,
        anatomical=anatomical,
        limits=LIMITS,
        space=SPACE,
        group=lambda wildcards: group_of(f"sub-{wildcards.subject}"),
        stages=lambda wildcards: stages(BY_UNIT, LOSSES, unit_of(wildcards), MODALITIES),
        maps=lambda wildcards: list(drawn_maps(wildcards)),
        visits=lambda wildcards: (
            f"../sub-{wildcards.subject}_visits.html"
            if f"sub-{wildcards.subject}" in SEEN_AGAIN
            else ""
        ),
        controls=lambda wildcards: unit_of(wildcards) in AT_BASELINE.values(),
        decisions=lambda wildcards: decision_lines(
            decisions_on(STUDY.decisions, unit_of(wildcards))
        ).get(f"sub-{wildcards.subject}", []),
    script:
        "../../scripts/draw_participant.py"


rule draw_thumbnails:
    """Draw a small picture of each step of a participant."""
    input:
        t1w=rules.preprocess_t1w.output.t1w,
        mask=rules.preprocess_t1w.output.mask,
        gm=rules.segment_t1w.output.gm,
        wm=rules.segment_t1w.output.wm,
        t1w_template=rules.register_t1w.output.t1w,
        template=rules.prepare_template.output.registration,
        fa=has("dwi", rules.fit_tensor.output.fa),
        v1=has("dwi", rules.fit_tensor.output.v1),
        atlas_dwi=has("dwi", rules.extract_cst.output.weights),
        table_dwi=has("dwi", rules.extract_cst.output.table),
        swi=has("swi", rules.measure_swi.output.swi),
        chi=has("qsm", rules.map_susceptibility.output.chi),
        regions=has("swi", rules.locate_regions.output.regions, "qsm"),
        names=has("swi", rules.locate_regions.output.names, "qsm"),
    output:
        folder=directory("<participant>_thumbnails"),
    log:
        "<logs>/draw_thumbnails/<who>.log",
    benchmark:
        "<benchmarks>/draw_thumbnails/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w", "dwi", "swi"),
    params:
        version=VERSION,
    script:
        "../../scripts/draw_thumbnails.py"


rule judge_quality:
    """Compare every participant's quality with the limits, and list what needs a look."""
    input:
        qc=of_each(rules.collect_measures.output.qc, people()),
        measures=rules.gather_measures.output.measures,
    output:
        qc="<qc>/qc.tsv",
        dictionary="<qc>/qc.json",
    log:
        "<logs>/judge_quality/study.log",
    benchmark:
        "<benchmarks>/judge_quality/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        primary=config["statistics"]["primary"],
        limits=LIMITS,
        max_robust_z=config["qc"]["max_robust_z"],
        excluded=STUDY.excluded,
    script:
        "../../scripts/judge_quality.py"


INDEXED = rules.judge_quality.output.qc

if VISITS:

    rule judge_visits:
        """Compare every visit's quality with the limits, and list what needs a look."""
        input:
            qc=of_each(rules.collect_measures.output.qc, units()),
            within=of_each(rules.measure_within.output.qc, WITHIN),
            measures=rules.gather_visits.output.visits,
        output:
            qc="<qc>/qc_visits.tsv",
            dictionary="<qc>/qc_visits.json",
        log:
            "<logs>/judge_visits/study.log",
        benchmark:
            "<benchmarks>/judge_visits/study.tsv"
        conda:
            "../../envs/mndmri.yaml"
        params:
            primary=config["statistics"]["primary"],
            limits=LIMITS,
            max_robust_z=config["qc"]["max_robust_z"],
            excluded=BY_UNIT.excluded,
        script:
            "../../scripts/judge_visits.py"

    INDEXED = rules.judge_visits.output.qc


rule draw_cohort:
    """Put everybody's quality on an index, and everybody's picture of each step on a contact sheet."""
    input:
        qc=INDEXED,
        pages=of_each(
            rules.draw_participant.output.page,
            having(rules.draw_participant.output.page, units()),
        ),
        thumbnails=of_each(
            rules.draw_thumbnails.output.folder,
            having(rules.draw_thumbnails.output.folder, units()),
        ),
        viewers=of_each(
            rules.draw_viewer.output.page,
            having(rules.draw_viewer.output.page, units()),
        ),
        participants=rules.gather_measures.output.participants,
        participants_dictionary=rules.gather_measures.output.participants_dictionary,
    output:
        page="<qc>/index.html",
        sheets=directory("<qc>/sheets"),
    log:
        "<logs>/draw_cohort/study.log",
    benchmark:
        "<benchmarks>/draw_cohort/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        failed=failures(LOSSES),
        units=list(BY_UNIT.scans) if VISITS else [],
        decisions=[dict(own) for own in STUDY.decisions],
        site=config["site"] or "",
    script:
        "../../scripts/draw_cohort.py"
