#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs every libFuzzer target for SECONDS each (600 unless given), address and undefined-behaviour sanitizers on.
# New inputs go to var/fuzz/<target>; a finding is written to var/fuzz/<target>-… and ends the run.
set -eu
cd "$(dirname "$0")/.."
seconds="${1:-600}"
targets="config cron http url zone template token id_token json"
tools/setup.sh --fuzz
[ -e build/fuzz/build.ninja ] ||
    CC=clang-14 meson setup build/fuzz -Dfuzz=true -Dsanitized=true -Db_sanitize=address,undefined -Db_lundef=false >/dev/null
ninja -C build/fuzz $(for target in $targets; do echo "tests/fuzz/${target}_fuzz"; done)
for target in $targets; do
    mkdir -p "var/fuzz/$target"
    echo "== $target, $seconds s"
    build/fuzz/tests/fuzz/${target}_fuzz -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="var/fuzz/$target-" "var/fuzz/$target" "tests/fuzz/seeds/$target" 2>&1 | tail -n 15
done
