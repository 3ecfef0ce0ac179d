rule measure_change:
    """Fit a line through each person's visits, compare scans with rescans, and count the visits."""
    input:
        participants=PARTICIPANTS["participants"],
        visits=EVERY_VISIT,
    output:
        changes="<group>/changes.tsv",
        changes_dictionary="<group>/changes.json",
        repeatability="<group>/repeatability.tsv",
        repeatability_dictionary="<group>/repeatability.json",
        visits="<group>/visits.tsv",
        visits_dictionary="<group>/visits.json",
    log:
        "<logs>/measure_change/study.log",
    benchmark:
        "<benchmarks>/measure_change/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        repeatability=keys_of("visits", "rescan_months")
        | keys_of("statistics", "alpha"),
        counted=dict(groups=GROUPS["groups"]) | keys_of("visits", "scores"),
    script:
        "../../scripts/measure_change.py"


rule compare_change:
    """Compare the slopes of every measure between the groups, by a mixed model of all visits."""
    input:
        **PARTICIPANTS,
        visits=EVERY_VISIT,
        measures=TABLES.measures,
        quality=OF_SCANS,
    output:
        longitudinal="<group>/longitudinal.tsv",
        dictionary="<group>/longitudinal.json",
    log:
        "<logs>/compare_change/study.log",
    benchmark:
        "<benchmarks>/compare_change/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        options=CONTRASTS
        | COVARIATES
        | keys_of("statistics", "primary", "n_permutations", "seed")
        | keys_of("visits", "moderators"),
    script:
        "../../scripts/compare_change.py"


rule plan_trial:
    """Compute how many people a trial would need, by primary measure."""
    input:
        visits=EVERY_VISIT,
    output:
        trial="<group>/trial.tsv",
        dictionary="<group>/trial.json",
    log:
        "<logs>/plan_trial/study.log",
    benchmark:
        "<benchmarks>/plan_trial/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        options=GROUPS | keys_of("statistics", "primary", "alpha", "seed"),
    script:
        "../../scripts/plan_trial.py"


# Those of the report.
OF_VISITS = [
    rules.compare_change.output.longitudinal,
    rules.measure_change.output.visits,
    rules.measure_change.output.repeatability,
    rules.plan_trial.output.trial,
]
