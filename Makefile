# The two commands of the README are `make demo` and `make test`.
PYTHON = .venv/bin/python
export PATH := $(CURDIR)/.tools/bin:$(PATH)  # where setup.sh puts uv, which builds templates' environments
# Two workers; a file is handed out whole, for what it prepares once. Said at the end: what took longest.
PYTEST = $(PYTHON) -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --durations=10 --durations-min=5

.PHONY: demo test suites suites-all tamper redteam traps setup lint hostile faults fuzz \
	bench bench-baselines bench-tokens bench-edits bench-fleet bench-simulation

demo: setup
	@./launch.py --idea hierarchical_sae --playback templates/synth_sae/playback/hierarchical_sae

test: setup
	@$(PYTEST) --ignore=tests/suites

# Of the long sweeps a sample, chosen by SUITE_SEED (default: the date).
suites: setup
	@$(PYTEST) tests/suites

suites-all: setup
	@SUITE_ALL=1 $(PYTEST) tests/suites

hostile: setup
	@$(PYTHON) -m tests.suites.hostile

faults: setup
	@$(PYTHON) -m tests.suites.faults

fuzz: setup
	@$(PYTHON) -m tests.suites.fuzz

tamper: setup
	@$(PYTHON) -m tests.suites.tamper

redteam: setup
	@$(PYTHON) -m tests.suites.redteam

traps: setup
	@$(PYTHON) -m tests.suites.traps

lint: setup
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy

bench: setup
	@for table in speed-topk speed-steps speed-sizes speed-architectures speed-splits speed-start speed-caching; do \
		$(PYTHON) -m tests.suites.bench $$table || exit 1; done

# Plays the demo, and counts what its conversations cost.
bench-tokens: setup
	@$(PYTHON) -m tests.suites.bench tokens

bench-baselines: setup
	@$(PYTHON) -m tests.suites.bench baselines

# Sessions side by side against one after another: some ten minutes on two cores.
bench-fleet: setup
	@$(PYTHON) -m tests.suites.bench fleet

# A thousand sessions with a clock of their own.
bench-simulation: setup
	@$(PYTHON) -m tests.suites.bench simulation

bench-edits: setup
	@$(PYTHON) -m tests.suites.bench edits

setup:
	@sh setup.sh
