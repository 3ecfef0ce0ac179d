TABLES = (rules.take_measures if config["measures"] else rules.gather_measures).output
QUALITY = config["quality"] or (
    [] if config["measures"] else rules.judge_quality.output.qc
)
# What is compared: the measures as they are, unless the sites are harmonised.
MEASURES = TABLES.measures
# Which groups are compared, as the functions that compare them take it.
STUDY_GROUPS = dict(
    groups=list(config["groups"]["levels"]),
    reference=config["groups"]["reference"],
    contrasts=config["statistics"]["contrasts"],
    pooled=config["statistics"]["pooled_patients"],
    alpha=config["statistics"]["alpha"],
)
# Maps compared voxel by voxel, where there are scans.
MAP_TABLES, MAP_FIGURES = [], []
COMPARISON = dict(
    study=STUDY_GROUPS,
    covariates=config["covariates"],
    categorical=config["categorical"],
    # what the groups should be alike in, where the study knows it
    alike=dict(
        site=config["site"],
        **{
            name: name if name in STUDY.participants else None
            for name in ("age", "sex")
        },
    ),
    site=config["site"],
    scores=score_columns(config),
    statistics=config["statistics"],
)


if config["statistics"]["harmonise"] != "none":

    rule harmonise_sites:
        """Take out of the measures what the scanners of the sites do to them."""
        input:
            measures=TABLES.measures,
            participants=TABLES.participants,
        output:
            measures="<group>/measures_harmonised.tsv",
            shifts="<group>/site_shifts.tsv",
            dictionary="<group>/site_shifts.json",
        log:
            "<logs>/harmonise_sites/study.log",
        benchmark:
            "<benchmarks>/harmonise_sites/study.tsv"
        conda:
            "../../envs/mndmri.yaml"
        params:
            **COMPARISON,
        script:
            "../../scripts/harmonise_sites.py"

    MEASURES = rules.harmonise_sites.output.measures


rule describe_participants:
    """Make Table 1, who was studied, and say how the groups differ besides their disease."""
    input:
        participants=TABLES.participants,
        quality=QUALITY,
    output:
        demographics="<group>/demographics.tsv",
        balance="<group>/balance.tsv",
        dictionary="<group>/balance.json",
    log:
        "<logs>/describe_participants/study.log",
    benchmark:
        "<benchmarks>/describe_participants/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        **COMPARISON,
    script:
        "../../scripts/describe_participants.py"


rule compare_groups:
    """Compare every measure between the groups."""
    input:
        measures=MEASURES,
        participants=TABLES.participants,
    output:
        comparisons="<group>/comparisons.tsv",
        dictionary="<group>/comparisons.json",
        means="<group>/adjusted_means.tsv",
    log:
        "<logs>/compare_groups/study.log",
    benchmark:
        "<benchmarks>/compare_groups/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        **COMPARISON,
    script:
        "../../scripts/compare_groups.py"


rule classify_groups:
    """Tell how well each measure separates the groups."""
    input:
        measures=MEASURES,
        participants=TABLES.participants,
    output:
        classification="<group>/classification.tsv",
        dictionary="<group>/classification.json",
        points="<group>/roc_points.tsv",
        points_dictionary="<group>/roc_points.json",
    log:
        "<logs>/classify_groups/study.log",
    benchmark:
        "<benchmarks>/classify_groups/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        **COMPARISON,
    script:
        "../../scripts/classify_groups.py"


rule correlate_scores:
    """Correlate every measure with the clinical scores, within patients."""
    input:
        measures=MEASURES,
        participants=TABLES.participants,
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
        **COMPARISON,
        sides=config["clinical_sides"],
        progression=config["progression"],
    script:
        "../../scripts/correlate_scores.py"


rule combine_measures:
    """Combine the primary measures into one index, judged on people it was not made from."""
    input:
        measures=MEASURES,
        participants=TABLES.participants,
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
        **COMPARISON,
    script:
        "../../scripts/combine_measures.py"


if config["site"]:

    rule compare_sites:
        """Compare the groups within each site, and pool the sites."""
        input:
            measures=TABLES.measures,
            participants=TABLES.participants,
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
            **COMPARISON,
        script:
            "../../scripts/compare_sites.py"


if people("dwi"):

    rule gather_profiles:
        """Put everybody's profiles along the corticospinal tract into one table."""
        input:
            collect(rules.extract_cst.output.profile, subject=people("dwi")),
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
            participants=STUDY.participants.to_dict("list"),
        script:
            "../../scripts/gather_profiles.py"

    rule compare_profiles:
        """Compare the groups at every node of the tract, corrected over all of them."""
        input:
            profiles=rules.gather_profiles.output.profiles,
            participants=TABLES.participants,
        output:
            comparisons="<group>/profile_comparisons.tsv",
            dictionary="<group>/profile_comparisons.json",
            means="<group>/profile_means.tsv",
        log:
            "<logs>/compare_profiles/study.log",
        benchmark:
            "<benchmarks>/compare_profiles/study.tsv"
        conda:
            "../../envs/mndmri.yaml"
        params:
            **COMPARISON,
        script:
            "../../scripts/compare_profiles.py"


UNFOLDED = sorted({*people("swi"), *people("qsm")})
UNFOLDED = UNFOLDED and having(rules.unfold_sulcus.output.strip, UNFOLDED)

if UNFOLDED:

    rule gather_strips:
        """Put everybody's strips of the central sulcus into one table."""
        input:
            collect(
                rules.unfold_sulcus.output.strip,
                subject=UNFOLDED,
            ),
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
            participants=STUDY.participants.to_dict("list"),
        script:
            "../../scripts/gather_strips.py"


rule check_sensitivity:
    """Repeat the primary comparisons on other people and with other covariates."""
    input:
        measures=MEASURES,
        participants=TABLES.participants,
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
        **COMPARISON,
    script:
        "../../scripts/check_sensitivity.py"


rule count_signs:
    """Count in how many of each group the motor band sign is present."""
    input:
        measures=TABLES.measures,
        participants=TABLES.participants,
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
        **COMPARISON,
    script:
        "../../scripts/count_signs.py"


rule draw_groups:
    """Draw every primary measure with every participant in it, and the results of the tables."""
    input:
        measures=MEASURES,
        participants=TABLES.participants,
        comparisons=rules.compare_groups.output.comparisons,
        means=rules.compare_groups.output.means,
        classification=rules.classify_groups.output.classification,
        points=rules.classify_groups.output.points,
        correlations=rules.correlate_scores.output.correlations,
        performance=rules.combine_measures.output.performance,
        predictions=rules.combine_measures.output.predictions,
        sites=rules.compare_sites.output.effects if config["site"] else [],
        profiles=rules.compare_profiles.output.comparisons if people("dwi") else [],
        profile_means=rules.compare_profiles.output.means if people("dwi") else [],
        strips=rules.gather_strips.output.strips if UNFOLDED else [],
    output:
        figures=directory("<group>/figures"),
    log:
        "<logs>/draw_groups/study.log",
    benchmark:
        "<benchmarks>/draw_groups/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        **COMPARISON,
    script:
        "../../scripts/draw_groups.py"


rule write_methods:
    """Write the paragraph on methods that a paper on this study needs."""
    input:
        measures=TABLES.measures,
        participants=TABLES.participants,
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
    script:
        "../../scripts/write_methods.py"


rule write_workbook:
    """Put the group's tables into one spreadsheet."""
    input:
        tables=[
            TABLES.wide,
            rules.describe_participants.output.demographics,
            rules.describe_participants.output.balance,
            rules.compare_groups.output.comparisons,
            rules.compare_groups.output.means,
            rules.classify_groups.output.classification,
            rules.correlate_scores.output.correlations,
            rules.combine_measures.output.performance,
            rules.combine_measures.output.predictions,
            rules.combine_measures.output.features,
            rules.compare_sites.output.effects if config["site"] else [],
            rules.compare_profiles.output.comparisons if people("dwi") else [],
            rules.check_sensitivity.output.sensitivity,
            rules.count_signs.output.signs,
            rules.count_signs.output.agreement,
            rules.gather_measures.output.cutoffs if people("swi") else [],
            TABLES.measures,
        ],
        dictionaries=[
            rules.describe_participants.output.dictionary,
            rules.compare_groups.output.dictionary,
            rules.classify_groups.output.dictionary,
            rules.correlate_scores.output.dictionary,
            rules.combine_measures.output.performance_dictionary,
            rules.combine_measures.output.predictions_dictionary,
            rules.combine_measures.output.features_dictionary,
            rules.compare_sites.output.dictionary if config["site"] else [],
            rules.compare_profiles.output.dictionary if people("dwi") else [],
            rules.check_sensitivity.output.dictionary,
            rules.count_signs.output.dictionary,
            rules.gather_measures.output.cutoffs_dictionary if people("swi") else [],
            rules.count_signs.output.agreement_dictionary,
            TABLES.dictionary,
        ],
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
