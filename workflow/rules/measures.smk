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
