#!/usr/bin/env bash
# Make the virtual environment (`make setup`): tools/setup.sh PYTHON LOCK READY
# READY is created last, in the environment. Any failure is one sentence, and leaves no half-made environment;
# the messages of pip and uv are then in setup.log.
set -euo pipefail
python=$1 lock=$2 ready=$3
venv=$(dirname "$ready")
first_uv=$venv.setup # an environment for uv alone, which then fills the real one
supported="3.11, 3.12 or 3.13" # where every locked package has a wheel
needed_gb=6
[[ $lock != *gpu* ]] || needed_gb=9

fail() {
  echo "error: $*" >&2
  exit 1
}

# Run a command quietly; turn its failure into one sentence.
run() {
  local output
  if output=$("$@" 2>&1); then return; fi
  { echo "$output" > setup.log; } 2> /dev/null || true
  case $output in
    *"No space left on device"* | *"Disk quota exceeded"*) disk_full ;;
    *"Retrying (Retry("* | *"Could not fetch URL"* | *"Failed to fetch"* | *"error sending request"* | \
      *"from versions: none"* | *"not found in the package registry"*)
      fail "the package index cannot be reached or lacks a package: check the network, or set PIP_INDEX_URL to" \
        "another index (messages: setup.log)" ;;
  esac
  (( $(free_mb) > 50 )) || disk_full
  fail "the packages cannot be installed: $(tail -n 1 <<< "$output") (all messages: setup.log)"
}

disk_full() {
  fail "the disk is full: .venv and uv's cache (UV_CACHE_DIR) need $needed_gb GB, and $PWD has $(free_mb) MB free"
}

free_mb() {
  df -Pm . | awk 'NR == 2 { print $4 }'
}

mount_point() {
  df -P "$1" | awk 'NR == 2 { print $6 }'
}

choose="use Python $supported, for example make setup PYTHON=python3.13"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2> /dev/null) ||
  fail "$python cannot be run: $choose"
[[ " ${supported//,/ } " == *" $version "* ]] || fail "$python is Python $version, which is not supported: $choose"
"$python" -c 'import ensurepip, venv' 2> /dev/null ||
  fail "$python cannot make virtual environments: install its venv module (Debian, Ubuntu: apt install python$version-venv)"
# What is in uv's cache on this disk takes no more space.
cache=${UV_CACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-}/.cache}/uv}
[[ -d $cache && $(mount_point "$cache") == "$(mount_point .)" ]] ||
  (( $(free_mb) >= needed_gb * 1000 )) || disk_full

echo "setting up $venv with Python $version, which takes some minutes"
trap 'rm -rf "$first_uv"' EXIT
run "$python" -m venv --clear "$first_uv"
run "$first_uv/bin/python" -m pip install --quiet --retries 2 --require-hashes -r requirements/uv.lock
index=${PIP_INDEX_URL:-$("$first_uv/bin/python" -m pip config get global.index-url 2> /dev/null || true)}
[[ -z $index ]] || export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-${UV_INDEX_URL:-$index}}

trap 'rm -rf "$first_uv" "$venv"' EXIT
run "$python" -m venv --clear "$venv"
install=("$first_uv/bin/uv" pip install --quiet --python "$venv/bin/python")
run "${install[@]}" --compile-bytecode --require-hashes -r requirements/uv.lock -r "$lock"
run "${install[@]}" --no-deps --no-build-isolation -e .
touch "$ready"
trap 'rm -rf "$first_uv"' EXIT
rm -f setup.log
