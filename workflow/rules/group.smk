rule gather_measures:
    """Put everybody's measures into one table, long and wide, and describe its columns."""
    input:
        collect(rules.collect_measures.output.measures, subject=people()),
    output:
        measures="<group>/measures.tsv",
        dictionary="<group>/measures.json",
        wide="<group>/measures_wide.tsv",
        participants="<group>/participants.tsv",
    log:
        "<logs>/gather_measures/study.log",
    benchmark:
        "<benchmarks>/gather_measures/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        version=VERSION,
        participants=STUDY.participants.to_dict("list"),
        left_out=STUDY.left_out,
    script:
        "../../scripts/gather_measures.py"


rule describe_participants:
    """Make Table 1: who was studied, group by group."""
    input:
        participants=rules.gather_measures.output.participants,
    output:
        demographics="<group>/demographics.tsv",
    log:
        "<logs>/describe_participants/study.log",
    benchmark:
        "<benchmarks>/describe_participants/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        groups=list(config["groups"]["levels"]),
        reference=config["groups"]["reference"],
        covariates=config["covariates"],
        scores=config["clinical_scores"],
        categorical=config["categorical"],
    script:
        "../../scripts/describe_participants.py"


rule compare_groups:
    """Compare every measure between the groups."""
    input:
        measures=rules.gather_measures.output.measures,
        participants=rules.gather_measures.output.participants,
    output:
        comparisons="<group>/comparisons.tsv",
        dictionary="<group>/comparisons.json",
        means="<group>/adjusted_means.tsv",
    log:
        "<logs>/compare_groups/study.log",
    benchmark:
        "<benchmarks>/compare_groups/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        groups=list(config["groups"]["levels"]),
        reference=config["groups"]["reference"],
        covariates=config["covariates"],
        categorical=config["categorical"],
        statistics=config["statistics"],
    script:
        "../../scripts/compare_groups.py"


rule draw_groups:
    """Draw every primary measure with every participant in it, and the effect sizes."""
    input:
        measures=rules.gather_measures.output.measures,
        comparisons=rules.compare_groups.output.comparisons,
        means=rules.compare_groups.output.means,
    output:
        figures=directory("<group>/figures"),
    log:
        "<logs>/draw_groups/study.log",
    benchmark:
        "<benchmarks>/draw_groups/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        groups=list(config["groups"]["levels"]),
        primary=config["statistics"]["primary"],
    script:
        "../../scripts/draw_groups.py"
