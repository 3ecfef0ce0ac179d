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
        # of a table, Snakemake notes the hash of its values alone
        participants=STUDY.participants,
        columns=list(STUDY.participants),
        progression=config["progression"],
    script:
        "../../scripts/take_measures.py"
