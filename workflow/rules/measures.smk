rule collect_measures:
    """Put a participant's measures of all stages into one table, and the quality checks into another."""
    input:
        measures=stages(
            t1w=rules.segment_t1w.output.measures,
            dwi=rules.extract_cst.output.measures,
            swi=rules.measure_swi.output.measures,
        ),
        qc=stages(
            t1w=rules.segment_t1w.output.qc,
            dwi=rules.extract_cst.output.qc,
            swi=rules.measure_swi.output.qc,
        ),
    output:
        measures="<participant>_measures.tsv",
        qc="<participant>_qc.tsv",
    log:
        "<logs>/collect_measures/sub-{subject}.log",
    benchmark:
        "<benchmarks>/collect_measures/sub-{subject}.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        version=VERSION,
    script:
        "../../scripts/collect_measures.py"


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
        progression=config["progression"],
    script:
        "../../scripts/gather_measures.py"
