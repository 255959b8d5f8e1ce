# Everything there is to do with Vernier, one word each. `make test` is what CI runs.
CARGO ?= cargo
CARGO_DENY_VERSION = 0.20.2

.PHONY: run check test fmt clippy doc deny shipped bench load parts properties simulate fuzz kill9 faults money kafka-tls

run:
	$(CARGO) run --release

# Formatting, lints, documentation, dependencies.
check: fmt clippy doc deny

# The test whose output is to be seen: how many random requests were bid on, and why the others were not.
ORACLE = decisions_are_those_of_the_oracle

# What must pass before anything lands: formatting, lints, every test.
test: fmt clippy
	@test -d ../shared/data || echo "notice: tests on real-world data are left out, since ../shared/data is not there"
	$(CARGO) test --release -p decision --test it --quiet $(ORACLE) -- --nocapture
	deploy/local/services with $(CARGO) test --release --workspace --quiet -- --skip $(ORACLE)

fmt:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --release --workspace --all-targets --quiet -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --workspace --no-deps --quiet

deny:
	@$(CARGO) deny --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-deny --version $(CARGO_DENY_VERSION)
	$(CARGO) deny check bans licenses sources

# The programs as operators run them: slower to build, a tenth faster. They are what is measured.
shipped:
	$(CARGO) build --profile shipped -p vernier -p load-tests

# Where they are, and what starts the servers that measurements need: their own, on free ports.
BIN = $(or $(CARGO_TARGET_DIR),target)/shipped
OWN = REDIS_URL=own REDIS_CLUSTER_URL=own KAFKA_BROKERS=own deploy/local/services with

# What a bid request costs, as a multiple of a bare HTTP server. The bidder keeps to processor 0, everything else to 1. Run it
# on a quiet machine. `make bench PEER=http://127.0.0.1:9000/bid/x` loads another bidder; BENCH="--local" and the like go on.
BENCH ?=
bench: shipped
	$(OWN) taskset -c 1 $(BIN)/vernier-load bench $(if $(PEER),--peer $(PEER)) $(BENCH)

# A load from a file: `make load SCENARIO=steady`. The page of it is in target/bench.
SCENARIO ?= smoke
load: shipped
	$(OWN) taskset -c 1 $(BIN)/vernier-load load load-tests/scenarios/$(SCENARIO).toml $(if $(PEER),--peer $(PEER)) $(BENCH)

# The parts, each by itself, with allocation counts. The load average is printed first.
parts:
	@uptime
	$(CARGO) bench --workspace

# The property tests with ten times as many cases.
properties:
	VERNIER_PROPERTY_CASES=1000000 $(CARGO) test --release -p decision --test it properties -- --nocapture

# Twenty times as many simulated days of money over many nodes as `make test` plays.
simulate:
	VERNIER_SEEDS=10000 $(CARGO) test --release -p vernier --test simulation -- --nocapture

# The program with TLS and SCRAM towards Kafka, against brokers that ask for them. Needs OpenSSL with its headers.
kafka-tls:
	deploy/local/services with $(CARGO) test --release --features kafka-tls --test it -- processes::access

# Every fuzz target for SECONDS each.
SECONDS ?= 60
fuzz:
	./fuzz/run.sh $(SECONDS)

# Kills a running bidder five times during traffic and holds its books against the exchange's journal.
kill9:
	$(CARGO) build --release --workspace
	./load-tests/kill9.sh

# Lets Redis and Kafka fail under traffic in each way there is, and judges what exchanges, campaigns and books got. Run it
# on a quiet machine; it takes about a quarter of an hour.
# The scenarios start servers of their own: of `deploy/local/services` they need the program only, so none is started here.
FAULTS ?=
faults: shipped
	$(OWN) $(BIN)/vernier-load faults $(FAULTS)

# Spends budgets on four bidders while one thing after the other fails, and checks what became of the money; it goes on where
# it was ended. `make money MONEY="--fault kafka-down --outage 600"` plays one fault; `vernier-load audit` checks a history.
MONEY ?= --jobs 2
money: shipped
	$(OWN) $(BIN)/vernier-load money $(MONEY)
