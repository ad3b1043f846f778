# Thin names over the real commands. ARGS reaches the program: make demo ARGS='--break udp-blocked'
.PHONY: help demo test check matrix bench bench-history bench-media docs dist clean-install lock environment test-environment lab-packages matrix-packages clean

ARGS ?=
PROFILE ?= webex-calling
LAB_PACKAGES = ansible-lint chrony conntrack coturn dnsmasq-base dovecot-imapd faketime iproute2 iptables kamailio \
	kamailio-tls-modules nftables nginx openssh-client openssh-server openssl opensmtpd postgresql procps \
	prometheus prosody slapd squid-openssl systemd tcpdump unbound util-linux
# What the whole matrix and the benchmarks need besides: one more proxy, and the tools that they are compared with.
MATRIX_PACKAGES = bind9-dnsutils iperf3 irtt mitmproxy nmap prometheus-blackbox-exporter sipsak testssl.sh

help:
	@echo 'make demo    run the agent against a stand-in network on this machine'
	@echo 'make test    the whole test suite'
	@echo 'make check   ruff and mypy'
	@echo 'make matrix  the whole fault matrix, about an hour as root; writes docs/accuracy.md'
	@echo 'make bench   time and memory, as ratios'
	@echo 'make bench-media  figures of media and the responder against what is promised, 5 minutes as root'
	@echo 'make docs    what is made from causes, profiles and templates in docs/ and packaging/'
	@echo 'make dist    wheel, sdist and a single-file program in dist/'
	@echo 'make lock    resolve the dependencies anew'
	@echo 'make clean   remove what the others made'

demo: environment
	@.venv/bin/readycheck demo $(PROFILE) $(ARGS)

# What plays in whole networks mostly waits and is sensitive to load: it comes after the rest, three at a time, and the
# tests that share a network by one worker. Status 5 is pytest's for a part of which ARGS selects nothing.
FILES = -n 3 --dist loadfile --no-loadscope-reorder -m 'not lab and not alone'
NETWORKS = -n 3 --dist loadgroup -m '(lab or alone) and not matrix' \
	--ignore=tests/cases --ignore=tests/probes --ignore=tests/unit
test: test-environment lab-packages
	.venv/bin/python -m pytest $(FILES) $(ARGS) || [ $$? = 5 ]
	.venv/bin/python -m pytest $(NETWORKS) $(ARGS) || [ $$? = 5 ]

check: test-environment
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

matrix: test-environment lab-packages matrix-packages
	.venv/bin/python -m pytest -n 2 -m matrix tests/e2e
	.venv/bin/python -m tests.lab.matrix $(ARGS)

bench: test-environment
	.venv/bin/python -m bench $(ARGS)

bench-history: test-environment lab-packages
	.venv/bin/python -m bench history exporter quarter
	READYCHECK_KILLED=200 .venv/bin/python -m pytest -q -k kill_9 tests/unit/history/test_keep.py

bench-media: test-environment lab-packages matrix-packages
	.venv/bin/python -m bench.media $(ARGS)

docs: environment
	.venv/bin/python -m readycheck.diagnose.causes >docs/causes.md
	.venv/bin/python -m bench.regressions >docs/regressions.md
	.venv/bin/python -m readycheck.schedule.shipped packaging
	@mkdir -p docs/profiles
	for file in profiles/readycheck_profiles/*.toml; do \
		.venv/bin/readycheck profile show "$$file" --format markdown \
			>"docs/profiles/$$(basename "$$file" .toml).md" || exit 1; \
	done

dist: test-environment
	tools/dist.sh

clean-install: test-environment
	tools/clean_install.sh

lock: environment
	tools/lock.sh

environment:
	@tools/environment.sh run

test-environment:
	@tools/environment.sh test

# Without them the tests of the lab are skipped, and say so.
lab-packages:
	@tools/debian_packages.sh $(LAB_PACKAGES) || echo 'make test: the tests of the lab will be SKIPPED' >&2

matrix-packages:
	@tools/debian_packages.sh $(MATRIX_PACKAGES) || echo 'make matrix: some of it will be MISSING' >&2

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
