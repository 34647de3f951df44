# The two commands that everybody needs are `make demo` and `make test`.

CARGO ?= cargo
PREFIX ?= /usr
DESTDIR ?=

.PHONY: demo build test check install-packages release install bench-ha bench conformance soak fuzz clean

# Two nodes, two back ends and a client on this machine; needs nothing but Rust and a C compiler.
demo: build
	target/debug/evenkeel demo

build:
	$(CARGO) build --workspace --bins

# Everything: formatting, lints, unit tests, and the end-to-end tests in network namespaces.
test: install-packages check build
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run --workspace --no-fail-fast; \
	else \
		$(CARGO) test --workspace --no-fail-fast -- --test-threads=2; \
	fi

check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

# The Debian packages that the end-to-end tests drive; installs what is missing, and says so.
install-packages:
	lab/install-packages

release:
	$(CARGO) build --workspace --bins --release

# What becomes of a pair when its Master is harmed, beside keepalived and nginx: the table in the README.
# RUNS is how often each figure is taken; ONLY names a part: `make bench-ha RUNS=3 ONLY="power off"`.
RUNS ?= 5
ONLY ?=
bench-ha: release install-packages
	$(CARGO) run --release --package lab --bin bench-ha -- $(RUNS) "$(ONLY)"

# New worlds for the simulation of VRRP nodes: `make soak SECONDS=3600`. A failure says how to replay it.
SECONDS ?= 600
soak:
	$(CARGO) test --quiet -p core-vrrp --test simulation --no-run
	@end=$$(( $$(date +%s) + $(SECONDS) )); from=$$(( $$(date +%s) * 1000000 )); begin=$$from; \
	while [ $$(date +%s) -lt $$end ]; do \
		FROM=$$from $(CARGO) test --quiet -p core-vrrp --test simulation soak >target/soak.log 2>&1 || \
			{ cat target/soak.log; exit 1; }; \
		from=$$(( from + 1000 )); \
		echo "$$(( from - begin )) worlds, $$(( end - $$(date +%s) )) s to go"; \
	done

# Inputs that nobody has tried for every decoder; what breaks one is kept in fuzz/corpus.
fuzz:
	$(CARGO) run --profile fuzz --package fuzz -- $(SECONDS)

# HTTP/2 by the book: 107 cases of a suite that is not ours, which is fetched and built at the first time.
HTTPWG = target/conformance/bin/httpwg
conformance: build $(HTTPWG)
	python3 lab/conformance.py target/debug/evenkeel $(HTTPWG)

$(HTTPWG):
	$(CARGO) install httpwg-cli --version 0.2.5 --locked --root target/conformance \
		--target-dir target/conformance/build

# CPU time per request, memory, latency and reloads beside nginx and HAProxy: bench/README.md.
bench: release install-packages
	python3 bench/bench.py --json target/bench.json

install: release
	install -D -m 755 target/release/evenkeel $(DESTDIR)$(PREFIX)/sbin/evenkeel
	for program in vrrp proxy check notify admin demo; do \
		install -D -m 755 target/release/evenkeel-$$program \
			$(DESTDIR)$(PREFIX)/libexec/evenkeel/evenkeel-$$program || exit 1; \
	done
	install -D -m 644 etc/systemd/evenkeel.service $(DESTDIR)/lib/systemd/system/evenkeel.service
	install -D -m 755 etc/init.d/evenkeel $(DESTDIR)/etc/init.d/evenkeel
	test -e $(DESTDIR)/etc/evenkeel/evenkeel.toml || \
		install -D -m 640 etc/evenkeel.toml $(DESTDIR)/etc/evenkeel/evenkeel.toml

clean:
	$(CARGO) clean
