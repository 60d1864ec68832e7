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
	@$(PYTHON) -m tests.hostile

faults: setup
	@$(PYTHON) -m tests.faults

fuzz: setup
	@$(PYTHON) -m tests.fuzz

redteam: setup
	@$(PYTHON) -m tests.redteam

lint: setup
	@$(PYTHON) -m ruff check .

bench: setup
	@for table in speed-topk speed-architectures speed-splits speed-start speed-caching; do \
		$(PYTHON) -m tests.bench $$table || exit 1; done

bench-baselines: setup
	@$(PYTHON) -m tests.bench baselines

setup:
	@sh setup.sh
