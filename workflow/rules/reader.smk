"""Pages on which motor bands are rated by eye, without names, groups or scores."""

# Of more, a browser would have to hold more than 100 MB at once.
CASES_PER_PAGE = 25
# Who can be read: also those whose scan was excluded since, for the next rater.
READABLE = sorted({*people("swi"), *people("qsm")})


rule draw_reader:
    """Draw a participant's motor strip, slice by slice, for rating."""
    input:
        swi=has("swi", rules.measure_swi.output.swi),
        chi=has("qsm", rules.map_susceptibility.output.chi),
        regions=rules.locate_regions.output.regions,
        names=rules.locate_regions.output.names,
        mni_mm=rules.locate_regions.output.mni_mm,
    output:
        page="<participant>_reader.html",
    log:
        "<logs>/draw_reader/<who>.log",
    benchmark:
        "<benchmarks>/draw_reader/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("swi"),
    params:
        version=VERSION,
        case=lambda wildcards: STUDY.cases[f"sub-{wildcards.subject}"],
        max_in_plane_mm=config["swi"]["max_in_plane_mm"],
    script:
        "../../scripts/draw_reader.py"


READ = having(rules.draw_reader.output.page, READABLE)
N_PAGES = -(-len(READ) // CASES_PER_PAGE)

READERS = []

if READ:

    rule gather_readers:
        """Put everybody's motor strip on pages in random order, and write which case is who."""
        input:
            pages=of_each(rules.draw_reader.output.page, READ),
        output:
            pages=[
                f"<results>/reader/cohort{f'-{n + 1}of{N_PAGES}' if N_PAGES > 1 else ''}.html"
                for n in range(N_PAGES)
            ],
            key="<results>/reader/reader_key.tsv",
            dictionary="<results>/reader/reader_key.json",
        log:
            "<logs>/gather_readers/study.log",
        benchmark:
            "<benchmarks>/gather_readers/study.tsv"
        conda:
            "../../envs/mndmri.yaml"
        params:
            cases={
                who: case
                for who, case in STUDY.cases.items()
                if AT_BASELINE.get(who) in READ
            },
            per_page=CASES_PER_PAGE,
        script:
            "../../scripts/gather_readers.py"

    READERS = [rules.gather_readers.output.key]
