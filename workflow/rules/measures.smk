rule collect_measures:
    """Put a participant's measures of all stages into one table."""
    input:
        t1w=rules.segment_t1w.output.measures,
        dwi=has("dwi", rules.extract_cst.output.measures),
        swi=has("swi", rules.measure_swi.output.measures),
    output:
        measures="<participant>_measures.tsv",
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


rule collect_quality:
    """Put the quality checks of all a participant's stages into one table."""
    input:
        t1w=rules.segment_t1w.output.qc,
        dwi=has("dwi", rules.extract_cst.output.qc),
        swi=has("swi", rules.measure_swi.output.qc),
    output:
        measures="<participant>_qc.tsv",
    log:
        "<logs>/collect_quality/sub-{subject}.log",
    benchmark:
        "<benchmarks>/collect_quality/sub-{subject}.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        version=VERSION,
    script:
        "../../scripts/collect_measures.py"
