#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that building and testing need and that are not there yet.
# Says what it does; asks nothing; does nothing when all is in place.
set -eu

build="gcc libc6-dev meson ninja-build pkg-config python3 libmicrohttpd-dev libgnutls28-dev libuv1-dev libcurl4-openssl-dev libjansson-dev
libyaml-dev libsqlite3-dev libcjose-dev libsodium-dev libssl-dev libpq-dev libmariadb-dev
libhiredis-dev librdkafka-dev librabbitmq-dev libarchive-dev libpango1.0-dev libxlsxwriter-dev libseccomp-dev
libcmocka-dev tzdata ca-certificates"
test="python3-pytest python3-pytest-xdist nginx-light openssl wrk postgresql mariadb-server galera-4 rsync redis-server iproute2 maven default-jre-headless
rabbitmq-server python3-aiosmtpd poppler-utils python3-openpyxl zip unzip zstd prometheus python3-yaml prometheus-alertmanager"
fuzz="clang-14 libclang-rt-14-dev"

want="$build $test"
[ "${1:-}" = "--fuzz" ] && want="$want $fuzz"
[ "${1:-}" = "--coverage" ] && want="$want gcovr"

missing=""
for package in $want; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" -eq 0 ]; then
    sudo=""
elif command -v sudo >/dev/null 2>&1; then
    sudo="sudo"
else
    echo "These packages are missing and installing them needs root:$missing" >&2
    echo "Run as root: apt-get install$missing" >&2
    exit 1
fi
echo "Installing:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
$sudo apt-get update -qq || true
# Freshly installed servers would start themselves; tests start their own.
$sudo sh -c 'printf "#!/bin/sh\nexit 101\n" > /usr/sbin/policy-rc.d.chronos && chmod 755 /usr/sbin/policy-rc.d.chronos
    if [ ! -e /usr/sbin/policy-rc.d ]; then mv /usr/sbin/policy-rc.d.chronos /usr/sbin/policy-rc.d; touch /run/chronos-policy; else rm /usr/sbin/policy-rc.d.chronos; fi'
# shellcheck disable=SC2086
status=0
$sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null || status=$?
$sudo sh -c 'if [ -e /run/chronos-policy ]; then rm -f /usr/sbin/policy-rc.d /run/chronos-policy; fi'
exit $status
