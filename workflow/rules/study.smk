"""A template of the study's own people, made in rounds, and the way from it to the standard one."""

# The first round brings everyone to the standard template by an affine transform alone; each further
# one registers everyone to the mean of the round before.
ROUNDS = 3


rule classify_tissue:
    """Classify the tissue of a brain by its intensities, once for all rounds."""
    input:
        brain=rules.preprocess_t1w.output.brain,
    output:
        tissue=temp("<resources>/study/<who>_desc-tissue_probseg.nii.gz"),
    log:
        "<logs>/classify_tissue/<who>.log",
    benchmark:
        "<benchmarks>/classify_tissue/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w"),
    script:
        "../../scripts/classify_tissue.py"


rule align_to_study:
    """Find the way from the mean of the round before to a person."""
    input:
        **study_template("target", lambda wildcards: int(wildcards.round) - 1),
        person_brain=rules.preprocess_t1w.output.brain,
        person_tissue=rules.classify_tissue.output.tissue,
        fov=rules.preprocess_t1w.output.fov,
    output:
        xfm=temp("<resources>/study/round-{round}/<who>_xfm.nii.gz"),
    log:
        "<logs>/align_to_study/<who>_round-{round}.log",
    benchmark:
        "<benchmarks>/align_to_study/<who>_round-{round}.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=memory("t1w"),
    params:
        engine=config["t1w"]["registration_engine"],
        iterations=config["t1w"]["registration_iterations"],
        affine=lambda wildcards: wildcards.round == "0",
    script:
        "../../scripts/align_to_study.py"


rule average_study:
    """Average everybody's brain in the mean of their shapes."""
    input:
        target_brain=study_template(
            "target", lambda wildcards: int(wildcards.round) - 1
        )["target_brain"],
        xfm=lambda wildcards: expand(
            of_each(rules.align_to_study.output.xfm, counted()), round=wildcards.round
        ),
        brain=of_each(rules.preprocess_t1w.output.brain, counted()),
        tissue=of_each(rules.classify_tissue.output.tissue, counted()),
        fov=of_each(rules.preprocess_t1w.output.fov, counted()),
    output:
        brain="<resources>/study/tpl-study_round-{round}_desc-brain_T1w.nii.gz",
        tissue="<resources>/study/tpl-study_round-{round}_desc-tissue_probseg.nii.gz",
    log:
        "<logs>/average_study/round-{round}.log",
    benchmark:
        "<benchmarks>/average_study/round-{round}.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=4000,
    script:
        "../../scripts/average_study.py"


rule register_study:
    """Find the way from the study's template to the standard one and back."""
    input:
        **MNI,
        **study_template("study", lambda wildcards: ROUNDS - 1),
    output:
        to_template="<resources>/study/from-study_to-<space>_mode-image_xfm.nii.gz",
        from_template="<resources>/study/from-<space>_to-study_mode-image_xfm.nii.gz",
    log:
        "<logs>/register_study/study.log",
    benchmark:
        "<benchmarks>/register_study/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=4000,
    params:
        engine=config["t1w"]["registration_engine"],
        iterations=config["t1w"]["registration_iterations"],
    script:
        "../../scripts/register_study.py"
