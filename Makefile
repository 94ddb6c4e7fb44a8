# The front door. `make` builds the release program at build/penchant; `make demo` shows it at work on MovieLens 100K; `make test`
# builds and runs every test. Each installs what it needs on Debian and Ubuntu (tools/install_deps.sh).
BUILD ?= build
JOBS ?= $(shell nproc 2>/dev/null || echo 2)

.PHONY: all build deps demo test sanitize bench reproduce docs lint install clean
all: build

deps:
	@tools/install_deps.sh build

build: deps
	@mkdir -p $(BUILD)
	@cmake -S . -B $(BUILD) -DCMAKE_BUILD_TYPE=Release $(CMAKE_ARGS) > $(BUILD)/configure.log 2>&1 || { cat $(BUILD)/configure.log; exit 1; }
	@cmake --build $(BUILD) -j $(JOBS)

demo: build
	@tools/demo.sh $(BUILD)/penchant demo

test:
	@tools/install_deps.sh test
	@tools/test.sh $(BUILD) $(JOBS)

# the quick tests under sanitizers of addresses and undefined behaviour, a choice of those with several threads under
# that of threads
sanitize:
	@tools/install_deps.sh test
	@tools/sanitize.sh $(JOBS)

# speed beside peers, and published accuracy: minutes to hours, see docs/bench.md and docs/reproduce.md
bench: build
	@tools/bench $(NAMES)

reproduce: build
	@tools/reproduce $(NAMES)

# pages that are made from the program's own tables: docs/cli.md, docs/models/parameters.md
docs: build
	@tools/generate_docs.sh $(BUILD)/penchant

# format, clang-tidy, cppcheck
lint:
	@tools/lint.sh

install: build
	@cmake --install $(BUILD) $(if $(PREFIX),--prefix $(PREFIX))

clean:
	rm -rf $(BUILD) demo
