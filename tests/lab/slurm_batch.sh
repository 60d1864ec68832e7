#!/bin/bash

# Parameters
#SBATCH --account=lab
#SBATCH --array=0-2,5%3
#SBATCH --chdir=/home/me/runner
#SBATCH --cpus-per-task=2
#SBATCH --gres=gpu:1
#SBATCH --job-name=er-2-1-0123456789ab
#SBATCH --mem=32G
#SBATCH --nodelist='n[1-4]'
#SBATCH --nodes=1
#SBATCH --open-mode=append
#SBATCH --output='/data/my session/runs/2/slurm/%A_%a_0_log.out'
#SBATCH --partition=gpu
#SBATCH --requeue
#SBATCH --reservation=night
#SBATCH --signal=B:USR2@90
#SBATCH --time=240

# command
export SUBMITIT_EXECUTOR=slurm
exec /home/me/runner/.venv/bin/python -u -m agent.lab.jobs.slurm.task '/data/my session/runs/2'
