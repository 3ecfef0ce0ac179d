BIDS = config["bids_dir"]
# A reverse phase-encoded volume gives both series a direction in their names.
SERIES = "_dir-AP" if config["simulation"]["dwi"]["reverse_b0"] else ""
ECHOES = range(1, len(config["simulation"]["gre"]["echo_times_ms"]) + 1)


rule build_anatomy:
    """Build the head that all simulated people share."""
    output:
        maps="<results>/simulation/anatomy.nii",
        centreline="<results>/simulation/centreline.tsv",
    log:
        "<logs>/build_anatomy/study.log",
    benchmark:
        "<benchmarks>/build_anatomy/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=6000,
    params:
        version=VERSION,
    script:
        "../../scripts/build_anatomy.py"


rule simulate_t1w:
    """Simulate the T1-weighted scan of one person."""
    input:
        maps=rules.build_anatomy.output.maps,
        centreline=rules.build_anatomy.output.centreline,
    output:
        image=f"{BIDS}/sub-{{subject}}/anat/sub-{{subject}}_T1w.nii.gz",
        json=f"{BIDS}/sub-{{subject}}/anat/sub-{{subject}}_T1w.json",
        truth="<results>/simulation/sub-{subject}_t1w_truth.tsv",
    log:
        "<logs>/simulate_t1w/sub-{subject}.log",
    benchmark:
        "<benchmarks>/simulate_t1w/sub-{subject}.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=4000,
    params:
        person=person,
        simulation=config["simulation"],
    script:
        "../../scripts/simulate_t1w.py"


rule simulate_dwi:
    """Simulate the diffusion series of one person."""
    input:
        maps=rules.build_anatomy.output.maps,
        centreline=rules.build_anatomy.output.centreline,
    output:
        image=f"{BIDS}/sub-{{subject}}/dwi/sub-{{subject}}{SERIES}_dwi.nii.gz",
        bval=f"{BIDS}/sub-{{subject}}/dwi/sub-{{subject}}{SERIES}_dwi.bval",
        bvec=f"{BIDS}/sub-{{subject}}/dwi/sub-{{subject}}{SERIES}_dwi.bvec",
        json=f"{BIDS}/sub-{{subject}}/dwi/sub-{{subject}}{SERIES}_dwi.json",
        truth="<results>/simulation/sub-{subject}_dwi_truth.tsv",
        opposite=(
            multiext(
                f"{BIDS}/sub-{{subject}}/dwi/sub-{{subject}}_dir-PA_dwi",
                ".nii.gz",
                ".json",
                ".bval",
                ".bvec",
            )
            if SERIES
            else []
        ),
    log:
        "<logs>/simulate_dwi/sub-{subject}.log",
    benchmark:
        "<benchmarks>/simulate_dwi/sub-{subject}.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=4000,
    params:
        person=person,
        simulation=config["simulation"],
    script:
        "../../scripts/simulate_dwi.py"


rule simulate_gre:
    """Simulate the gradient-echo scan of one person."""
    input:
        maps=rules.build_anatomy.output.maps,
        centreline=rules.build_anatomy.output.centreline,
    output:
        magnitude=[
            f"{BIDS}/sub-{{subject}}/anat/sub-{{subject}}_echo-{echo}_part-mag_MEGRE.nii.gz"
            for echo in ECHOES
        ],
        magnitude_json=[
            f"{BIDS}/sub-{{subject}}/anat/sub-{{subject}}_echo-{echo}_part-mag_MEGRE.json"
            for echo in ECHOES
        ],
        phase=[
            f"{BIDS}/sub-{{subject}}/anat/sub-{{subject}}_echo-{echo}_part-phase_MEGRE.nii.gz"
            for echo in ECHOES
        ],
        phase_json=[
            f"{BIDS}/sub-{{subject}}/anat/sub-{{subject}}_echo-{echo}_part-phase_MEGRE.json"
            for echo in ECHOES
        ],
        truth="<results>/simulation/sub-{subject}_swi_truth.tsv",
    log:
        "<logs>/simulate_gre/sub-{subject}.log",
    benchmark:
        "<benchmarks>/simulate_gre/sub-{subject}.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=6000,
    params:
        person=person,
        simulation=config["simulation"],
    script:
        "../../scripts/simulate_gre.py"


rule collect_truth:
    """Gather what was planted and what is true of every simulated person."""
    input:
        **{
            modality: collect(
                f"<results>/simulation/sub-{{subject}}_{modality}_truth.tsv",
                subject=people(modality),
            )
            for modality in config["modalities"]
        },
    output:
        participants=f"{BIDS}/participants.tsv",
        description=f"{BIDS}/dataset_description.json",
        planted="<results>/simulation/planted.tsv",
        truth="<results>/simulation/truth.tsv",
    log:
        "<logs>/collect_truth/study.log",
    benchmark:
        "<benchmarks>/collect_truth/study.tsv"
    conda:
        "../../envs/mndmri.yaml"
    params:
        simulation=config["simulation"],
    script:
        "../../scripts/collect_truth.py"
