rule write_report:
    """Write the study's page: who, Table 1, comparisons and figures."""
    input:
        participants=rules.gather_measures.output.participants,
        measures=rules.gather_measures.output.measures,
        demographics=rules.describe_participants.output.demographics,
        comparisons=rules.compare_groups.output.comparisons,
        figures=rules.draw_groups.output.figures,
    output:
        page=report(
            "<group>/report.html",
            caption="../report/write_report.rst",
            category="Group",
        ),
    log:
        "<logs>/write_report/study.log",
    benchmark:
        "<benchmarks>/write_report/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        primary=config["statistics"]["primary"],
        notes=list(STUDY.notes),
        failed=failed(),
        title=(
            "Simulated cohort"
            if config["simulation"]
            else Path(config["bids_dir"]).name
        ),
    script:
        "../../scripts/write_report.py"


rule describe_results:
    """Write what made the results: versions, config, who was left out."""
    output:
        provenance="<results>/provenance.json",
        description="<results>/dataset_description.json",
        ignore="<results>/.bidsignore",
    log:
        "<logs>/describe_results/study.log",
    benchmark:
        "<benchmarks>/describe_results/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        version=VERSION,
        config=config,
        left_out=STUDY.left_out,
    script:
        "../../scripts/describe_results.py"
