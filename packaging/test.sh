#!/usr/bin/env bash
# Installs what is missing and runs every check: style, types, who imports whom, tests.
#
#   bash packaging/test.sh [--torch auto|cpu|cuda|rocm] [PYTEST ARGUMENTS...]
set -uo pipefail
# shellcheck source=packaging/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
cd "$root" || exit 1

torch=auto
if [ "${1:-}" = --torch ]; then
    torch=${2:?--torch needs a word: auto, cpu, cuda or rocm}
    shift 2
fi
prepare "$torch" test

failed=()
check() {
    local name=$1
    shift
    say "$name"
    "$@" || failed+=("$name")
}

check "Style (ruff check)" "$python" -m ruff check .
check "Layout (ruff format)" "$python" -m ruff format --check .
check "Types (mypy)" "$python" -m mypy
check "Who imports whom (import-linter)" "$venv/bin/lint-imports"
# A process a core. Arguments come after, so that `-n 0` is one process, as for a debugger.
check "Tests (pytest)" "$python" -m pytest -n auto --maxprocesses 8 --dist worksteal "$@"

[ ${#failed[@]} -eq 0 ] || fail "${#failed[@]} of the checks above failed:" "${failed[@]/#/  }"
say "Everything passed."
