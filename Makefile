# The two commands of the README are `make demo` and `make test`.
PYTHON = .venv/bin/python

.PHONY: demo test suites redteam setup lint hostile faults fuzz bench bench-baselines

demo: setup
	@python3 launch.py --idea hierarchical_sae

test: setup
	@$(PYTHON) -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m "not suite"

suites: setup
	@$(PYTHON) -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m suite

hostile: setup
	@$(PYTHON) -m tests.suites.hostile

faults: setup
	@$(PYTHON) -m tests.suites.faults

fuzz: setup
	@$(PYTHON) -m tests.suites.fuzz

redteam: setup
	@$(PYTHON) -m tests.suites.redteam

lint: setup
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy

bench: setup
	@for table in speed-topk speed-architectures speed-splits speed-start speed-caching; do \
		$(PYTHON) -m tests.suites.bench $$table || exit 1; done

bench-baselines: setup
	@$(PYTHON) -m tests.suites.bench baselines

setup:
	@sh setup.sh
