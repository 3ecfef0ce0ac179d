rule measure_change:
    """Fit a line through each person's visits, measure by measure."""
    input:
        visits=TABLES.visits,
    output:
        changes="<group>/changes.tsv",
        dictionary="<group>/changes.json",
    log:
        "<logs>/measure_change/study.log",
    benchmark:
        "<benchmarks>/measure_change/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    script:
        "../../scripts/measure_change.py"


rule compare_change:
    """Compare the slopes of every measure between the groups, by a mixed model of all visits."""
    input:
        **PARTICIPANTS,
        visits=TABLES.visits,
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
        | keys_of("statistics", "primary", "n_permutations", "seed"),
    script:
        "../../scripts/compare_change.py"
