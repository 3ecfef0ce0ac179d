# Of the T1w image, a part of the study has the measures that belong to it.
OF_T1W = measured(PART, config)
VOLUMES = [has("t1w", rules.segment_t1w.output.measures)] if OF_T1W["volumes"] else []
# Thickness is measured where there is none of a surface program.
THICKNESS = (
    [has("t1w", rules.measure_thickness.output.measures)]
    if OF_T1W["others"] and not config["t1w"]["surface_stats_pattern"]
    else []
)
OF_MAPS, ALIGNED = (
    [
        has(name, expand(path, map=name, allow_missing=True)[0])
        for name in (names if OF_T1W["others"] else ())
    ]
    for path, names in (
        (rules.measure_map.output.measures, DECLARED_MAPS),
        (rules.align_map.output.qc, JUDGED),
    )
)
CORD = OF_T1W["others"]

GRADIENTS = (
    [has("dwi", rules.check_gradients.output.qc)]
    if config["dwi"]["gradient_check"]
    else []
)
TRACKING = (
    [has("dwi", rules.track_cst.output.qc)] if config["dwi"]["tractography"] else []
)


rule collect_measures:
    """Put a participant's measures of all stages into one table, and the quality checks into another."""
    input:
        measures=joined(
            *VOLUMES,
            *THICKNESS,
            *OF_MAPS,
            *([has("t1w", rules.measure_cord.output.measures)] if CORD else []),
            has("dwi", rules.extract_cst.output.measures),
            of_model("free_water", rules.map_free_water.output.measures),
            of_model("kurtosis", rules.map_kurtosis.output.measures),
            has("swi", rules.measure_swi.output.measures),
            has("qsm", rules.measure_qsm.output.measures),
        ),
        qc=joined(
            has("t1w", rules.preprocess_t1w.output.qc),
            has("t1w", rules.segment_t1w.output.qc),
            *([has("t1w", rules.measure_cord.output.qc)] if CORD else []),
            stand_in("qc"),
            *GRADIENTS,
            has("dwi", rules.extract_cst.output.qc),
            *TRACKING,
            has("swi", rules.measure_swi.output.qc),
            has("qsm", rules.map_susceptibility.output.qc),
            *ALIGNED,
        ),
        surface_stats=scans("t1w", "surface_stats") if VOLUMES else [],
    output:
        measures="<participant>_measures.tsv",
        dictionary="<participant>_measures.json",
        qc="<participant>_qc.tsv",
        qc_dictionary="<participant>_qc.json",
    log:
        "<logs>/collect_measures/<who>.log",
    benchmark:
        "<benchmarks>/collect_measures/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        version=VERSION,
        excluded=excluded,
        space=SPACE,
    script:
        "../../scripts/collect_measures.py"


# What is said of the study's own maps where their measures are defined.
MAPS_AS_DECLARED = {
    name: {key: own[key] for key in ("pattern", "quantity", "unit", "where")}
    for name, own in config["maps"].items()
}


rule gather_measures:
    """Put everybody's measures into one table, long and wide, with the scores of their motor bands."""
    input:
        **BROUGHT_FILES,
        measures=of_each(rules.collect_measures.output.measures, people()),
        weighted=of_each(
            rules.measure_swi.output.description,
            having(rules.measure_swi.output.description, counted("swi")),
        ),
        norms=norms_files(config),
    output:
        **(
            dict(
                cutoffs="<group>/motor_band_cutoffs.tsv",
                cutoffs_dictionary="<group>/motor_band_cutoffs.json",
                index="<group>/motor_band_index.tsv",
                index_dictionary="<group>/motor_band_index.json",
            )
            if people("swi")
            else {}
        ),
        measures="<group>/measures.tsv",
        dictionary="<group>/measures.json",
        wide="<group>/measures_wide.tsv",
        wide_dictionary="<group>/measures_wide.json",
        participants="<group>/participants.tsv",
        participants_dictionary="<group>/participants.json",
    log:
        "<logs>/gather_measures/study.log",
    benchmark:
        "<benchmarks>/gather_measures/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        version=VERSION,
        # of a table, Snakemake notes the hash of its values alone
        participants=STUDY.participants,
        columns=list(STUDY.participants),
        others=STUDY.others,
        other_columns=list(STUDY.others),
        brought=brought,
        maps=MAPS_AS_DECLARED,
        excluded=STUDY.excluded if BROUGHT else {},
        baseline=(
            {who: split_unit(unit)[1] for who, unit in AT_BASELINE.items()}
            if VISITS and BROUGHT
            else {}
        ),
        left_out=STUDY.left_out,
        reference=config["groups"]["reference"],
        progression=config["progression"],
        space=SPACE,
    script:
        "../../scripts/gather_measures.py"


if VISITS:

    include: "within.smk"

    # Volumes of a person's visits in the space midway between them.
    WITHIN = (
        having(rules.measure_within.output.measures, VISITED)
        if OF_T1W["volumes"]
        else []
    )

    rule gather_visits:
        """Put the measures of every visit into one table."""
        input:
            **BROUGHT_FILES,
            measures=of_each(rules.collect_measures.output.measures, units()),
            within=of_each(rules.measure_within.output.measures, WITHIN),
        output:
            visits="<group>/measures_visits.tsv",
            dictionary="<group>/measures_visits.json",
        log:
            "<logs>/gather_visits/study.log",
        benchmark:
            "<benchmarks>/gather_visits/study.tsv"
        conda:
            "../../envs/mndmri.yaml"
        params:
            version=VERSION,
            participants=STUDY.participants,
            visits=BY_UNIT.visits,
            # of a table, Snakemake notes the hash of its values alone
            columns=[*STUDY.participants, *BY_UNIT.visits],
            brought=brought,
            maps=MAPS_AS_DECLARED,
            left_out=BY_UNIT.left_out,
            # of the scans' own tables, collect_measures leaves it out
            excluded=BY_UNIT.excluded if BROUGHT else {},
            scores=config["visits"]["scores"],
        script:
            "../../scripts/gather_visits.py"
