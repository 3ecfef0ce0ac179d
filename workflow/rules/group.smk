TABLES = (rules.take_measures if config["measures"] else rules.gather_measures).output
QUALITY = config["quality"] or (
    [] if config["measures"] else rules.judge_quality.output.qc
)
# What is compared: the measures as they are, unless the sites are harmonised.
MEASURES = TABLES.measures
# Everyone in the study, and what kind each of their columns is.
PARTICIPANTS = dict(
    participants=TABLES.participants,
    participants_dictionary=TABLES.participants_dictionary,
)
# Options of the functions that compare groups. A rule hands its own over as one dict: of several values Snakemake
# compares the set, without their names, and would not see two of them exchanged.
GROUPS = dict(
    groups=list(config["groups"]["levels"]), reference=config["groups"]["reference"]
)
CONTRASTS = GROUPS | dict(
    contrasts=config["statistics"]["contrasts"],
    pooled=config["statistics"]["pooled_patients"],
    alpha=config["statistics"]["alpha"],
)
COVARIATES = dict(
    covariates=config["covariates"], measure_covariates=config["measure_covariates"]
)
# Where the covariates of some measures alone come from, besides the table of measures.
OF_SCANS = (
    QUALITY if any(map(is_of_quality, names_of(config["measure_covariates"]))) else []
)
SITE = dict(site=config["site"])
SITES = [config["site"]] if config["site"] else []
# What the groups should be alike in, where the study knows it.
ALIKE = SITE | {
    name: next((own for own in STUDY.participants if own.lower() == name), None)
    for name in ("age", "sex")
}
# Maps compared voxel by voxel, where there are scans.
MAP_TABLES, MAP_FIGURES = [], []


if config["statistics"]["harmonise"] != "none":

    rule harmonise_sites:
        """Take out of the measures what the scanners of the sites do to them."""
        input:
            **PARTICIPANTS,
            measures=TABLES.measures,
            dictionary=TABLES.dictionary,
        output:
            measures="<group>/measures_harmonised.tsv",
            measures_dictionary="<group>/measures_harmonised.json",
            shifts="<group>/site_shifts.tsv",
            dictionary="<group>/site_shifts.json",
        log:
            "<logs>/harmonise_sites/study.log",
        benchmark:
            "<benchmarks>/harmonise_sites/study.tsv"
        conda:
            "../../envs/mndmri.yaml"
        params:
            options=SITE
            | dict(
                preserve=["group", *config["covariates"]],
                reference_group=config["groups"]["reference"],
                learn_on={"combat": "all", "combat_controls": "controls"}[
                    config["statistics"]["harmonise"]
                ],
            ),
        script:
            "../../scripts/harmonise_sites.py"

    MEASURES = rules.harmonise_sites.output.measures


# Measures as they were measured: where sites are compared, and where their effects are learnt from the training people.
AS_MEASURED = TABLES.measures

if config["onset_side"]:
    HARMONISED = config["statistics"]["harmonise"] != "none"

    rule orient_sides:
        """Name the sides of the measures by the side of onset, and compare the two within patients."""
        input:
            **PARTICIPANTS,
            measures=TABLES.measures,
            dictionary=TABLES.dictionary,
            harmonised=MEASURES if HARMONISED else [],
        output:
            **(
                dict(
                    harmonised="<group>/measures_sides_harmonised.tsv",
                    harmonised_dictionary="<group>/measures_sides_harmonised.json",
                )
                if HARMONISED
                else {}
            ),
            measures="<group>/measures_sides.tsv",
            measures_dictionary="<group>/measures_sides.json",
            sides="<group>/sides.tsv",
            dictionary="<group>/sides.json",
        log:
            "<logs>/orient_sides/study.log",
        benchmark:
            "<benchmarks>/orient_sides/study.tsv"
        conda:
            "../../envs/mndmri.yaml"
        params:
            options=GROUPS
            | dict(onset_side=config["onset_side"])
            | keys_of("statistics", "primary", "alpha"),
        script:
            "../../scripts/orient_sides.py"

    AS_MEASURED = rules.orient_sides.output.measures
    MEASURES = rules.orient_sides.output["harmonised" if HARMONISED else "measures"]


rule score_deviations:
    """Compare every measure of every person with what is expected of a control."""
    input:
        **PARTICIPANTS,
        measures=MEASURES,
        quality=OF_SCANS,
        norms=config["norms"] or [],
    output:
        deviations="<group>/deviations.tsv",
        dictionary="<group>/deviations.json",
        norms="<group>/norms.tsv",
        norms_dictionary="<group>/norms.json",
    log:
        "<logs>/score_deviations/study.log",
    benchmark:
        "<benchmarks>/score_deviations/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        options=GROUPS
        | COVARIATES
        | SITE
        | dict(onset_side=config["onset_side"])
        | keys_of("statistics", "alpha"),
    script:
        "../../scripts/score_deviations.py"


rule describe_participants:
    """Make Table 1, who was studied, and say how the groups differ besides their disease."""
    input:
        **PARTICIPANTS,
        quality=QUALITY,
    output:
        demographics="<group>/demographics.tsv",
        demographics_dictionary="<group>/demographics.json",
        balance="<group>/balance.tsv",
        balance_dictionary="<group>/balance.json",
    log:
        "<logs>/describe_participants/study.log",
    benchmark:
        "<benchmarks>/describe_participants/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        table_one=GROUPS
        | dict(
            covariates=list(dict.fromkeys([*config["covariates"], *SITES])),
            scores=score_columns(config),
        ),
        balance=CONTRASTS | dict(covariates=config["covariates"]) | ALIKE,
    script:
        "../../scripts/describe_participants.py"


rule compare_groups:
    """Compare every measure between the groups."""
    input:
        **PARTICIPANTS,
        measures=MEASURES,
        quality=OF_SCANS,
    output:
        comparisons="<group>/comparisons.tsv",
        dictionary="<group>/comparisons.json",
        wide="<group>/comparisons_wide.tsv",
        wide_dictionary="<group>/comparisons_wide.json",
        means="<group>/adjusted_means.tsv",
        means_dictionary="<group>/adjusted_means.json",
    log:
        "<logs>/compare_groups/study.log",
    benchmark:
        "<benchmarks>/compare_groups/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        options=CONTRASTS
        | COVARIATES
        | keys_of("statistics", "primary", "n_permutations", "seed"),
    script:
        "../../scripts/compare_groups.py"


rule classify_groups:
    """Tell how well each measure separates the groups."""
    input:
        **PARTICIPANTS,
        measures=AS_MEASURED,
        quality=OF_SCANS,
        norms=config["norms"] or [],
    output:
        classification="<group>/classification.tsv",
        dictionary="<group>/classification.json",
        points="<group>/roc_points.tsv",
        points_dictionary="<group>/roc_points.json",
        markers="<group>/marker_comparisons.tsv",
        markers_dictionary="<group>/marker_comparisons.json",
    log:
        "<logs>/classify_groups/study.log",
    benchmark:
        "<benchmarks>/classify_groups/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        options=CONTRASTS
        | COVARIATES
        | SITE
        | dict(onset_side=config["onset_side"])
        | keys_of("statistics", "primary", "specificity", "prevalence"),
        compared=CONTRASTS
        | SITE
        | keys_of("statistics", "primary")
        | dict(
            measure_covariates=config["measure_covariates"],
            rated=config["statistics"]["rated_sign"],
        ),
        higher_is=config["higher_is"],
    script:
        "../../scripts/classify_groups.py"


rule correlate_scores:
    """Correlate every measure with the clinical scores, within patients."""
    input:
        **PARTICIPANTS,
        measures=MEASURES,
        quality=OF_SCANS,
    output:
        correlations="<group>/correlations.tsv",
        dictionary="<group>/correlations.json",
    log:
        "<logs>/correlate_scores/study.log",
    benchmark:
        "<benchmarks>/correlate_scores/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        options=GROUPS
        | keys_of("statistics", "primary", "alpha")
        | dict(
            scores=score_columns(config),
            sides=config["clinical_sides"],
            adjust=config["covariates"],
            measure_covariates=config["measure_covariates"],
        ),
        progression=config["progression"],
    script:
        "../../scripts/correlate_scores.py"


rule combine_measures:
    """Combine the primary measures into one index, judged on people it was not made from."""
    input:
        **PARTICIPANTS,
        measures=AS_MEASURED,
        quality=OF_SCANS,
    output:
        performance="<group>/multimodal_index.tsv",
        predictions="<group>/multimodal_predictions.tsv",
        features="<group>/multimodal_features.tsv",
        performance_dictionary="<group>/multimodal_index.json",
        predictions_dictionary="<group>/multimodal_predictions.json",
        features_dictionary="<group>/multimodal_features.json",
    log:
        "<logs>/combine_measures/study.log",
    benchmark:
        "<benchmarks>/combine_measures/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        options=CONTRASTS
        | COVARIATES
        | SITE
        | keys_of("statistics", "primary", "harmonise", "seed"),
    script:
        "../../scripts/combine_measures.py"


if config["site"]:

    rule compare_sites:
        """Compare the groups within each site, and pool the sites."""
        input:
            **PARTICIPANTS,
            measures=AS_MEASURED,
            quality=OF_SCANS,
        output:
            effects="<group>/site_effects.tsv",
            dictionary="<group>/site_effects.json",
        log:
            "<logs>/compare_sites/study.log",
        benchmark:
            "<benchmarks>/compare_sites/study.tsv"
        conda:
            "../../envs/mndmri.yaml"
        params:
            options=CONTRASTS | COVARIATES | SITE | keys_of("statistics", "primary"),
        script:
            "../../scripts/compare_sites.py"


# Whose profiles and strips are put into one table.
MEMBERS = STUDY.participants[["participant_id", "group"]].to_dict("list")


# Profiles along the tract of everybody who is compared: of the diffusion series, and of the maps that are measured there.
PROFILES = {}
if not config["measures"]:
    PROFILES["dwi"] = of_each(rules.extract_cst.output.profile, counted("dwi"))
    for name in of_tract(DECLARED_MAPS) if OF_T1W["others"] else ():
        [path] = expand(rules.measure_map.output.profile, map=name, allow_missing=True)
        PROFILES[name] = of_each(path, having(path, counted(name)))
    PROFILES = {name: own for name, own in PROFILES.items() if own}
# Covariates of their measures alone.
OF_TRACT = {
    place: names
    for place, names in config["measure_covariates"].items()
    if place.split()[0] in PROFILES and along_tract(place)
}

if PROFILES:

    rule gather_profiles:
        """Put everybody's profiles along the corticospinal tract into one table."""
        input:
            # some names cannot stand alone here
            **{f"of_{name}": own for name, own in PROFILES.items()},
        output:
            profiles="<group>/profiles.tsv",
            dictionary="<group>/profiles.json",
        log:
            "<logs>/gather_profiles/study.log",
        benchmark:
            "<benchmarks>/gather_profiles/study.tsv"
        conda:
            "../../envs/mndmri.yaml"
        params:
            participants=MEMBERS,
        script:
            "../../scripts/gather_profiles.py"

    rule compare_profiles:
        """Compare the groups at every node of the tract, corrected over all of them."""
        input:
            **PARTICIPANTS,
            profiles=rules.gather_profiles.output.profiles,
            measures=TABLES.measures if OF_TRACT else [],
            quality=OF_SCANS if OF_TRACT else [],
        output:
            comparisons="<group>/profile_comparisons.tsv",
            dictionary="<group>/profile_comparisons.json",
            means="<group>/profile_means.tsv",
            means_dictionary="<group>/profile_means.json",
        log:
            "<logs>/compare_profiles/study.log",
        benchmark:
            "<benchmarks>/compare_profiles/study.tsv"
        conda:
            "../../envs/mndmri.yaml"
        params:
            options=CONTRASTS
            | dict(covariates=config["covariates"], measure_covariates=OF_TRACT)
            | keys_of("statistics", "n_permutations", "seed"),
        script:
            "../../scripts/compare_profiles.py"


UNFOLDED = sorted({*counted("swi"), *counted("qsm")})
UNFOLDED = UNFOLDED and having(rules.unfold_sulcus.output.strip, UNFOLDED)

if UNFOLDED:

    rule gather_strips:
        """Put everybody's strips of the central sulcus into one table."""
        input:
            of_each(rules.unfold_sulcus.output.strip, UNFOLDED),
        output:
            strips="<group>/strips.tsv",
            dictionary="<group>/strips.json",
        log:
            "<logs>/gather_strips/study.log",
        benchmark:
            "<benchmarks>/gather_strips/study.tsv"
        conda:
            "../../envs/mndmri.yaml"
        params:
            participants=MEMBERS,
            space=SPACE,
            excluded=STUDY.excluded,
        script:
            "../../scripts/gather_strips.py"


rule check_sensitivity:
    """Repeat the primary comparisons on other people and with other covariates."""
    input:
        **PARTICIPANTS,
        measures=MEASURES,
        quality=QUALITY,
    output:
        sensitivity="<group>/sensitivity.tsv",
        dictionary="<group>/sensitivity.json",
    log:
        "<logs>/check_sensitivity/study.log",
    benchmark:
        "<benchmarks>/check_sensitivity/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        options=CONTRASTS | COVARIATES | ALIKE | keys_of("statistics", "primary"),
    script:
        "../../scripts/check_sensitivity.py"


rule check_comparisons:
    """Tell who decides the comparisons, what they assume, and which differences they could detect."""
    input:
        **PARTICIPANTS,
        measures=MEASURES,
        quality=OF_SCANS,
    output:
        influence="<group>/influence.tsv",
        influence_dictionary="<group>/influence.json",
        assumptions="<group>/assumptions.tsv",
        assumptions_dictionary="<group>/assumptions.json",
        equivalence="<group>/equivalence.tsv",
        equivalence_dictionary="<group>/equivalence.json",
    log:
        "<logs>/check_comparisons/study.log",
    benchmark:
        "<benchmarks>/check_comparisons/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        **keys_of("statistics", "primary", "equivalence_sd"),
        options=CONTRASTS | COVARIATES,
    script:
        "../../scripts/check_comparisons.py"


if config["survival"]:

    rule model_survival:
        """Relate every measure to the survival of the patients."""
        input:
            **PARTICIPANTS,
            measures=MEASURES,
            quality=OF_SCANS,
        output:
            survival="<group>/survival.tsv",
            dictionary="<group>/survival.json",
        log:
            "<logs>/model_survival/study.log",
        benchmark:
            "<benchmarks>/model_survival/study.tsv"
        conda:
            "../../envs/mndmri.yaml"
        params:
            options=GROUPS
            | survival_columns(config)
            | dict(measure_covariates=config["measure_covariates"])
            | keys_of("statistics", "primary", "alpha"),
        script:
            "../../scripts/model_survival.py"


OF_VISITS = []

if config["visits"]:
    # Measures of every visit; those of the group's other tables are of the baseline.
    EVERY_VISIT = (TABLES if config["measures"] else rules.gather_visits.output).visits

    include: "visits.smk"


rule count_signs:
    """Count in how many of each group the motor band sign is present."""
    input:
        **PARTICIPANTS,
        measures=TABLES.measures,
    output:
        signs="<group>/motor_band_sign.tsv",
        agreement="<group>/motor_band_agreement.tsv",
        agreement_dictionary="<group>/motor_band_agreement.json",
        dictionary="<group>/motor_band_sign.json",
    log:
        "<logs>/count_signs/study.log",
    benchmark:
        "<benchmarks>/count_signs/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        options=CONTRASTS | dict(rated=config["statistics"]["rated_sign"]),
    script:
        "../../scripts/count_signs.py"


if STUDY.rated:

    rule compare_raters:
        """Compare the motor bands that raters have seen with each other and with the automated score."""
        input:
            **PARTICIPANTS,
            measures=TABLES.measures,
            ratings=list(STUDY.rated),
            key_tables=key_files(STUDY.rated),
        output:
            agreement="<group>/agreement.tsv",
            dictionary="<group>/agreement.json",
            ratings="<group>/ratings.tsv",
            ratings_dictionary="<group>/ratings.json",
        log:
            "<logs>/compare_raters/study.log",
        benchmark:
            "<benchmarks>/compare_raters/study.tsv"
        conda:
            "../../envs/mndmri.yaml"
        params:
            options=dict(
                groups=list(config["groups"]["levels"]),
                alpha=config["statistics"]["alpha"],
            ),
            cases=dict(STUDY.cases),
        script:
            "../../scripts/compare_raters.py"


rule draw_groups:
    """Draw every primary measure with every participant in it, and the results of the tables."""
    input:
        **PARTICIPANTS,
        measures=MEASURES,
        tables=[
            rules.compare_groups.output.comparisons,
            rules.compare_groups.output.means,
            rules.classify_groups.output.classification,
            rules.classify_groups.output.points,
            rules.correlate_scores.output.correlations,
            rules.combine_measures.output.performance,
            rules.combine_measures.output.predictions,
            rules.score_deviations.output.deviations,
            rules.compare_sites.output.effects if config["site"] else [],
            rules.compare_profiles.output.comparisons if PROFILES else [],
            rules.compare_profiles.output.means if PROFILES else [],
            rules.gather_strips.output.strips if UNFOLDED else [],
            *(
                [EVERY_VISIT, rules.compare_change.output.longitudinal]
                if config["visits"]
                else []
            ),
        ],
    output:
        figures=directory("<group>/figures"),
    log:
        "<logs>/draw_groups/study.log",
    benchmark:
        "<benchmarks>/draw_groups/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        options=GROUPS | keys_of("statistics", "primary", "alpha"),
        higher_is=config["higher_is"],
    script:
        "../../scripts/draw_groups.py"


rule write_methods:
    """Write the paragraph on methods that a paper on this study needs."""
    input:
        **PARTICIPANTS,
        measures=TABLES.measures,
        dictionary=TABLES.dictionary,
        tables=[
            rules.describe_participants.output.demographics,
            rules.compare_groups.output.comparisons,
            rules.classify_groups.output.classification,
            rules.classify_groups.output.markers,
            rules.correlate_scores.output.correlations,
            rules.combine_measures.output.performance,
            rules.check_sensitivity.output.sensitivity,
            rules.check_comparisons.output.influence,
            rules.check_comparisons.output.equivalence,
            rules.score_deviations.output.deviations,
            rules.compare_sites.output.effects if config["site"] else [],
            rules.compare_profiles.output.comparisons if PROFILES else [],
            rules.orient_sides.output.sides if config["onset_side"] else [],
            rules.model_survival.output.survival if config["survival"] else [],
            OF_VISITS,
        ],
    output:
        methods="<group>/methods.md",
    log:
        "<logs>/write_methods/study.log",
    benchmark:
        "<benchmarks>/write_methods/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        config=config,
        space=SPACE,
        losses=dict(
            excluded=count_excluded(by_readers(STUDY.excluded)),
            without_t1w=dict(Counter(all_stand_ins())),
        ),
    script:
        "../../scripts/write_methods.py"


# The sheets of the spreadsheet, in their order.
SHEETS = [
    TABLES.wide,
    rules.describe_participants.output.demographics,
    rules.describe_participants.output.balance,
    rules.compare_groups.output.comparisons,
    rules.compare_groups.output.wide,
    rules.compare_groups.output.means,
    rules.classify_groups.output.classification,
    rules.classify_groups.output.markers,
    rules.correlate_scores.output.correlations,
    rules.combine_measures.output.performance,
    rules.combine_measures.output.predictions,
    rules.combine_measures.output.features,
    *([rules.compare_sites.output.effects] if config["site"] else []),
    *([rules.compare_profiles.output.comparisons] if PROFILES else []),
    rules.check_sensitivity.output.sensitivity,
    rules.check_comparisons.output.influence,
    rules.check_comparisons.output.assumptions,
    rules.check_comparisons.output.equivalence,
    *([rules.model_survival.output.survival] if config["survival"] else []),
    *OF_VISITS,
    *([rules.measure_change.output.changes] if config["visits"] else []),
    rules.score_deviations.output.deviations,
    rules.score_deviations.output.norms,
    *([rules.orient_sides.output.sides] if config["onset_side"] else []),
    rules.count_signs.output.signs,
    rules.count_signs.output.agreement,
    *([rules.compare_raters.output.agreement] if STUDY.rated else []),
    *([rules.gather_measures.output.cutoffs] if people("swi") else []),
    *([rules.gather_measures.output.index] if people("swi") else []),
    TABLES.measures,
]


rule write_workbook:
    """Put the group's tables into one spreadsheet."""
    input:
        tables=SHEETS,
        dictionaries=[dictionary_path(table) for table in SHEETS],
    output:
        workbook="<group>/tables.xlsx",
    log:
        "<logs>/write_workbook/study.log",
    benchmark:
        "<benchmarks>/write_workbook/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    script:
        "../../scripts/write_workbook.py"
