#!/usr/bin/env bash
# Starts Slurm on this machine alone, for the tests in this folder: a controller, one node with all its cores, no
# accounting. To be run as root on a machine that is no cluster's (a container, CI). Installs Debian's slurm-wlm and munge.
#   cluster.sh start | stop
set -euo pipefail
conf=/etc/slurm/slurm.conf

start() {
    command -v slurmctld munged >/dev/null || { apt-get update -q && apt-get install -qy slurm-wlm munge; }
    if [[ -e $conf ]] && ! grep -q '^ClusterName=mndmri-test$' "$conf"; then
        echo "$conf is of another cluster; this would replace it" >&2
        exit 1
    fi
    mkdir -p /run/munge /var/lib/munge /var/log/munge /var/spool/mndmri-slurmctld /var/spool/mndmri-slurmd
    chown -R munge: /run/munge /var/lib/munge /var/log/munge
    pgrep -x munged >/dev/null || su munge -s /bin/sh -c /usr/sbin/munged
    cat >"$conf" <<END
ClusterName=mndmri-test
SlurmctldHost=$(hostname -s)
SlurmUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
# jobs over their memory are looked for every few seconds, and killed
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
JobAcctGatherParams=OverMemoryKill
SchedulerParameters=sched_interval=2
StateSaveLocation=/var/spool/mndmri-slurmctld
SlurmdSpoolDir=/var/spool/mndmri-slurmd
SlurmctldPidFile=/run/mndmri-slurmctld.pid
SlurmdPidFile=/run/mndmri-slurmd.pid
SlurmctldLogFile=/var/log/mndmri-slurmctld.log
SlurmdLogFile=/var/log/mndmri-slurmd.log
ReturnToService=2
KillWait=5
OverTimeLimit=0
NodeName=$(hostname -s) CPUs=$(nproc) RealMemory=$(awk '/MemTotal/ {print int($2 / 1100)}' /proc/meminfo) State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
    pgrep -x slurmctld >/dev/null || slurmctld
    pgrep -x slurmd >/dev/null || slurmd
    for _ in $(seq 60); do
        [[ $(sinfo -h -o %T 2>/dev/null) == idle ]] && return
        sleep 1
    done
    sinfo >&2
    exit 1
}

stop() {
    scancel --user "$(id -un)" 2>/dev/null || true
    pkill -x slurmd || true
    pkill -x slurmctld || true
}

"$1"
