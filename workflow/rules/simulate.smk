BIDS = config["bids_dir"]
# A reverse phase-encoded volume gives both series a direction in their names.
REVERSE = config["simulation"]["dwi"]["reverse_b0"]
SERIES = "_dir-AP" if REVERSE else ""
OPPOSITE = {
    f"opposite_{kind}": f"{BIDS}/{WHERE}/dwi/{WHO}_dir-PA_dwi{extension}"
    for kind, extension in dict(
        image=".nii.gz", json=".json", bval=".bval", bvec=".bvec"
    ).items()
    if REVERSE
}
ECHOES = range(1, len(config["simulation"]["gre"]["echo_times_ms"]) + 1)
SIMULATED_MAPS = [name for name in MAP_FILES if name in config["modalities"]]


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
        image=f"{BIDS}/{WHERE}/anat/{WHO}_T1w.nii.gz",
        json=f"{BIDS}/{WHERE}/anat/{WHO}_T1w.json",
        truth="<results>/simulation/<who>_t1w_truth.tsv",
    log:
        "<logs>/simulate_t1w/<who>.log",
    benchmark:
        "<benchmarks>/simulate_t1w/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=4000,
    params:
        person=person("t1w"),
        simulation=scan_settings(config["simulation"], "t1w"),
    script:
        "../../scripts/simulate_t1w.py"


rule simulate_dwi:
    """Simulate the diffusion series of one person."""
    input:
        maps=rules.build_anatomy.output.maps,
        centreline=rules.build_anatomy.output.centreline,
    output:
        **OPPOSITE,
        image=f"{BIDS}/{WHERE}/dwi/{WHO}{SERIES}_dwi.nii.gz",
        bval=f"{BIDS}/{WHERE}/dwi/{WHO}{SERIES}_dwi.bval",
        bvec=f"{BIDS}/{WHERE}/dwi/{WHO}{SERIES}_dwi.bvec",
        json=f"{BIDS}/{WHERE}/dwi/{WHO}{SERIES}_dwi.json",
        truth="<results>/simulation/<who>_dwi_truth.tsv",
    log:
        "<logs>/simulate_dwi/<who>.log",
    benchmark:
        "<benchmarks>/simulate_dwi/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=4000,
    params:
        person=person("dwi"),
        simulation=scan_settings(config["simulation"], "dwi"),
    script:
        "../../scripts/simulate_dwi.py"


rule simulate_gre:
    """Simulate the gradient-echo scan of one person."""
    input:
        maps=rules.build_anatomy.output.maps,
        centreline=rules.build_anatomy.output.centreline,
    output:
        **{
            f"{part}_{echo}{kind}": f"{BIDS}/{WHERE}/anat/{WHO}_echo-{echo}_part-{part}_MEGRE{extension}"
            for echo in ECHOES
            for part in ("mag", "phase")
            for kind, extension in (("", ".nii.gz"), ("_json", ".json"))
        },
        truth="<results>/simulation/<who>_swi_truth.tsv",
    log:
        "<logs>/simulate_gre/<who>.log",
    benchmark:
        "<benchmarks>/simulate_gre/<who>.tsv"
    conda:
        "../../envs/mndmri.yaml"
    resources:
        mem_mb=6000,
    params:
        person=person("gre"),
        simulation=scan_settings(config["simulation"], "gre"),
    script:
        "../../scripts/simulate_gre.py"


if SIMULATED_MAPS:

    rule simulate_maps:
        """Simulate the maps and contrasts of one person that the study has."""
        input:
            maps=rules.build_anatomy.output.maps,
            centreline=rules.build_anatomy.output.centreline,
        output:
            **{
                name: f"{BIDS}/{WHERE}/{folder}/{WHO}_{suffix}.nii.gz"
                for name, (folder, suffix) in MAP_FILES.items()
                if name in SIMULATED_MAPS
            },
            truth="<results>/simulation/<who>_maps_truth.tsv",
        log:
            "<logs>/simulate_maps/<who>.log",
        benchmark:
            "<benchmarks>/simulate_maps/<who>.tsv"
        conda:
            "../../envs/mndmri.yaml"
        resources:
            mem_mb=4000,
        params:
            names=SIMULATED_MAPS,
            person=person(*SIMULATED_MAPS),
            simulation=scan_settings(config["simulation"], *SIMULATED_MAPS),
        script:
            "../../scripts/simulate_maps.py"


rule collect_truth:
    """Gather what was planted and what is true of every simulated person."""
    input:
        **{
            modality: of_each(
                f"<results>/simulation/{WHO}_{modality}_truth.tsv", units(modality)
            )
            for modality in config["modalities"]
            if modality not in SIMULATED_MAPS
        },
        maps=(
            of_each(rules.simulate_maps.output.truth, units("t1w"))
            if SIMULATED_MAPS
            else []
        ),
    output:
        **({"changes": "<results>/simulation/true_changes.tsv"} if VISITS else {}),
        sessions=[f"{BIDS}/{who}/{who}_sessions.tsv" for who in STUDY.listed if VISITS],
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
        simulation=plan_settings(config["simulation"]),
    script:
        "../../scripts/collect_truth.py"
