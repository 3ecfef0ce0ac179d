# Files beside the participants' pages; the pages themselves need nobody else, so that one who is added redraws none.
COMPARED = []

if not config["measures"]:
    PAGED = having(rules.draw_participant.output.page, people())

    if PAGED:

        rule compare_participants:
            """Show every person's primary measures, motor neuron, tract and sulcus on the range of the controls."""
            input:
                **PARTICIPANTS,
                measures=MEASURES,
                quality=OF_SCANS,
                deviations=rules.score_deviations.output.deviations,
                norms=rules.score_deviations.output.norms,
                profiles=rules.gather_profiles.output.profiles if counted("dwi") else [],
                strips=rules.gather_strips.output.strips if UNFOLDED else [],
                index=rules.gather_measures.output.index if people("swi") else [],
            output:
                panels=[
                    f"<place>/{folder_of(unit)}/{unit}_controls.js" for unit in PAGED
                ],
            log:
                "<logs>/compare_participants/study.log",
            benchmark:
                "<benchmarks>/compare_participants/study.tsv"
            conda:
                "../../envs/mndmri.yaml"
            params:
                version=VERSION,
                primary=config["statistics"]["primary"],
                higher_is=config["higher_is"],
                scored=GROUPS | COVARIATES | SITE | keys_of("statistics", "alpha"),
            script:
                "../../scripts/compare_participants.py"

        COMPARED = rules.compare_participants.output.panels


# Who has several visits, which are put side by side.
SEEN_AGAIN = [
    who
    for who in AT_BASELINE
    if len(visits_of(who.removeprefix("sub-"))) > 1
    and f"{PLACE}/{who}/{who}_visits.html" not in LOST_FILES
]

if SEEN_AGAIN:

    rule draw_visits:
        """Put a participant's visits side by side: the same slices one after the other, and measures over months."""
        input:
            visits=rules.gather_visits.output.visits,
            deviations=rules.score_deviations.output.deviations,
            norms=rules.score_deviations.output.norms,
            template=rules.prepare_template.output.registration,
            t1w=of_visits("t1w", rules.register_t1w.output.t1w),
            fa=of_visits("dwi", rules.fit_tensor.output.fa_template),
            growth=lambda wildcards: (
                expand(rules.measure_within.output.figure, subject=wildcards.subject)
                if f"sub-{wildcards.subject}" in WITHIN
                else []
            ),
        output:
            page="<place>/sub-{subject}/sub-{subject}_visits.html",
        log:
            "<logs>/draw_visits/sub-{subject}.log",
        benchmark:
            "<benchmarks>/draw_visits/sub-{subject}.tsv"
        conda:
            "../../envs/mndmri.yaml"
        resources:
            mem_mb=3000,
        params:
            version=VERSION,
            primary=config["statistics"]["primary"],
            alpha=config["statistics"]["alpha"],
            space=SPACE,
            group=lambda wildcards: group_of(f"sub-{wildcards.subject}"),
            baseline=lambda wildcards: split_unit(
                AT_BASELINE[f"sub-{wildcards.subject}"]
            )[1],
            pages=lambda wildcards: having(
                rules.draw_participant.output.page, visits_of(wildcards.subject)
            ),
        script:
            "../../scripts/draw_visits.py"

    COMPARED = [*COMPARED, *of_each(rules.draw_visits.output.page, SEEN_AGAIN)]


rule write_report:
    """Write the study's page: who, Table 1, comparisons and figures."""
    input:
        **PARTICIPANTS,
        measures=MEASURES,
        tables=[
            rules.describe_participants.output.demographics,
            rules.compare_groups.output.comparisons,
            rules.describe_participants.output.balance,
            rules.count_signs.output.signs,
            rules.compare_raters.output.agreement if STUDY.rated else [],
            rules.classify_groups.output.classification,
            rules.classify_groups.output.markers,
            rules.combine_measures.output.performance,
            rules.correlate_scores.output.correlations,
            rules.check_sensitivity.output.sensitivity,
            rules.check_comparisons.output.influence,
            rules.check_comparisons.output.equivalence,
            rules.model_survival.output.survival if config["survival"] else [],
            rules.score_deviations.output.deviations,
            rules.orient_sides.output.sides if config["onset_side"] else [],
            OF_VISITS,
        ],
        methods=rules.write_methods.output.methods,
        workbook=rules.write_workbook.output.workbook,
        figures=rules.draw_groups.output.figures,
        map_summaries=MAP_TABLES,
        map_figures=MAP_FIGURES,
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
        higher_is=config["higher_is"],
        alpha=config["statistics"]["alpha"],
        notes=list(STUDY.notes),
        failed=failures(LOSSES),
        decisions=[dict(own) for own in STUDY.decisions],
        flow=participant_flow(STUDY, config, modalities=MODALITIES),
        title=study_title(config) + (f": {PART} alone" if PART else ""),
        people="../qc/index.html" if STUDY.scans else "",
    script:
        "../../scripts/write_report.py"


rule describe_results:
    """Write what made the results: versions, config, who was left out."""
    output:
        provenance="<place>/provenance.json",
        description="<place>/dataset_description.json",
        ignore="<place>/.bidsignore",
    log:
        "<logs>/describe_results/study.log",
    benchmark:
        "<benchmarks>/describe_results/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        version=VERSION,
        config=config,
        left_out=BY_UNIT.left_out,
        excluded=BY_UNIT.excluded,
        tools=TOOLS,
    script:
        "../../scripts/describe_results.py"
