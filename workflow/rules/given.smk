rule take_measures:
    """Take a table of measures that somebody brings, in the place of one measured from scans."""
    input:
        measures=config["measures"],
    output:
        measures="<group>/measures.tsv",
        dictionary="<group>/measures.json",
        wide="<group>/measures_wide.tsv",
        wide_dictionary="<group>/measures_wide.json",
        participants="<group>/participants.tsv",
        participants_dictionary="<group>/participants.json",
    log:
        "<logs>/take_measures/study.log",
    benchmark:
        "<benchmarks>/take_measures/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        version=VERSION,
        participants=STUDY.participants,  # a table: Snakemake notes its hash alone
        progression=config["progression"],
    script:
        "../../scripts/take_measures.py"
