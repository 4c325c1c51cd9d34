#!/bin/sh
# A grid on a cluster: one Slurm array task for each shard, then a merge that waits for them.
#
#   sbatch --array=1-16 examples/sweep_slurm.sh GRID.toml OUT
#   sbatch --dependency=afterok:JOBID --wrap "ufm sweep merge OUT/shard-* --out OUT/whole --report OUT/whole.html"
#
# A task that is requeued or resubmitted continues where it was killed. `ufm sweep` exits with 1 when an instance does not hold; the
# table says which, so that is no failure of the task.
#SBATCH --cpus-per-task=4
#SBATCH --requeue
set -eu
grid=$1
out=$2
mkdir -p "$out"
ufm sweep "$grid" --out "$out/shard-$SLURM_ARRAY_TASK_ID" --resume \
    --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --threads "${SLURM_CPUS_PER_TASK:-1}" || test $? -eq 1
