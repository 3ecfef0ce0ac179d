rule take_measures:
    """Take tables of measures that somebody brings, in the place of one measured from scans."""
    input:
        **BROUGHT_FILES,
        visits=config["visits"]["table"] if config["visits"] else [],
    output:
        **(
            dict(
                visits="<group>/measures_visits.tsv",
                visits_dictionary="<group>/measures_visits.json",
            )
            if config["visits"]
            else {}
        ),
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
        others=STUDY.others,
        other_columns=list(STUDY.others),
        brought=brought,
        visits=config["visits"],
        excluded=STUDY.excluded,
        progression=config["progression"],
    script:
        "../../scripts/take_measures.py"
