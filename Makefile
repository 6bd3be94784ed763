# SPDX-License-Identifier: Apache-2.0
# Thin front of Meson: everything a newcomer needs is one word.
#
#   make run     install what is missing, build, start on the embedded store in ./var/dev
#   make test    build and run the whole everyday suite; ends with "N passed, N failed, N skipped"
#   make bench   figures as JSON lines (bench/README.md); make bench-cluster: nodes on database servers beside their peers
BUILD  ?= build/release
TEST   ?= build/test
DATA   ?= var/dev

.PHONY: all run test test-asan test-tsan coverage fuzz bench bench-cluster install clean setup format

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

setup:
	@tools/setup.sh

$(BUILD)/build.ninja: | setup
	meson setup $(BUILD) --buildtype=release -Dtests=false -Dbench=true

run: setup all
	@mkdir -p $(DATA) && chmod 700 $(DATA)
	@CHRONOS_DATA_DIR=$(DATA) $(BUILD)/chronos server

test: setup
	@python3 tools/run_tests.py --build $(TEST)

test-asan: setup
	@python3 tools/run_tests.py --build build/asan --sanitize address,undefined

test-tsan: setup
	@python3 tools/run_tests.py --build build/tsan --sanitize thread

coverage:
	@tools/setup.sh --coverage
	@python3 tools/run_tests.py --build build/coverage --coverage

fuzz: setup
	@tools/fuzz.sh

bench: setup all
	@python3 bench/run.py --build $(BUILD)

bench-cluster: setup all
	@python3 bench/servers.py --build $(BUILD)

install: all
	meson install -C $(BUILD)

format:
	clang-format-14 -i $$(git ls-files '*.c' '*.h')

clean:
	rm -rf build
