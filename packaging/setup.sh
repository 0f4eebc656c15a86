# shellcheck shell=bash
# Sourced by start.sh and test.sh: installs what is missing, in plain words, and again and again.
#
#   prepare auto|cpu|cuda|rocm EXTRAS    system packages, virtual environment, Python packages
#   $python                              the interpreter of the virtual environment
#
# The virtual environment is .venv in this checkout, or what PONYSTUDIO_VENV names.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=${PONYSTUDIO_VENV:-$root/.venv}
python=$venv/bin/python

# What Qt's wheels need of a system without a desktop; the last ones open real windows in tests.
python_packages=(python3 python3-venv)
qt_packages=(
    libegl1 libgl1 libfontconfig1 libglib2.0-0 libdbus-1-3 libxkbcommon0 libxkbcommon-x11-0
    libx11-xcb1 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0
    libxcb-render-util0 libxcb-shape0 libxcb-shm0 libxcb-sync1 libxcb-xfixes0 libxcb-xkb1
    fontconfig fonts-dejavu-core
)
test_packages=(xvfb xauth xdotool)

say() { printf '\n== %s\n' "$*"; }

fail() {
    printf '\nThis did not work: %s\n' "$1" >&2
    shift
    [ $# -eq 0 ] || printf '%s\n' "$@" >&2
    exit 1
}

prepare() {
    case $1 in
    auto | cpu | cuda | rocm) ;;
    *) fail "--torch $1 is unknown." "Choose one of auto, cpu, cuda and rocm." ;;
    esac
    install_system_packages "$2"
    make_venv
    install_python_packages "$1" "$2"
}

# Debian and its kin are served; elsewhere these libraries come with the desktop.
install_system_packages() {
    command -v apt-get >/dev/null || return 0
    local wanted=("${qt_packages[@]}") missing=() package sudo=()
    find_python >/dev/null || wanted+=("${python_packages[@]}")
    [ "$1" != test ] || wanted+=("${test_packages[@]}")
    for package in "${wanted[@]}"; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "Installing system packages: ${missing[*]}"
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "You are not root, so this goes on without them. To install them, as root:"
            echo "  apt-get install -y --no-install-recommends ${missing[*]}"
            return 0
        fi
        sudo=(sudo)
    fi
    "${sudo[@]}" apt-get update -q || fail "the package lists could not be fetched." \
        "Look at the lines above; is the network there?"
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "${missing[@]}" ||
        fail "system packages could not be installed." "Look at the lines above."
}

# Newer releases call some libraries NAMEt64, which provides NAME.
is_installed() {
    [[ $(dpkg-query -W -f='${Status}\n' "$1" "$1t64" 2>/dev/null) == *"install ok installed"* ]]
}

make_venv() {
    if [ -x "$python" ] && "$python" -c 'import pip' 2>/dev/null; then return 0; fi
    local base
    base=$(find_python) || fail "no Python 3.11 or newer was found." \
        "Install one (python3, with its venv module) and run this again."
    say "Making a virtual environment in $venv with $("$base" --version)"
    "$base" -m venv --clear "$venv" || fail "the virtual environment could not be made in $venv." \
        "Is there room on the disk, and is Python's venv module there?"
}

# One that can make virtual environments: Debian's needs a package of its own for that.
find_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if "$name" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

# Stamps say what was installed last, so that a second run takes no time.
install_python_packages() {
    local torch=$1 extras=$2 stamp=$venv/.ponystudio-${2:-base} wanted
    wanted="$(cksum <"$root/pyproject.toml") $root $torch"
    if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] &&
        "$python" -c 'import ponystudio, torch' 2>/dev/null; then
        return 0
    fi
    choose_torch "$torch"
    say "Installing Python packages into $venv (some minutes and 2 GB of disk the first time)"
    "$python" -m pip install --quiet --disable-pip-version-check -e "$root${extras:+[$extras]}" ||
        fail "Python packages could not be installed." \
            "Look at the lines above; is the network there, and are 3 GB of disk free?"
    printf '%s' "$wanted" >"$stamp"
}

# PyPI's torch for Linux is the build for NVIDIA cards; the others have indexes of their own.
choose_torch() {
    local index stamp=$venv/.ponystudio-torch
    case $1 in
    cpu) index=https://download.pytorch.org/whl/cpu ;;
    cuda) index=https://download.pytorch.org/whl/cu128 ;;
    rocm) index=https://download.pytorch.org/whl/rocm6.4 ;;
    auto)
        say "Taking the torch that pip chooses (--torch cpu, cuda or rocm fetches that build)"
        return 0
        ;;
    esac
    [ "$(cat "$stamp" 2>/dev/null)" != "$1" ] || return 0
    say "Installing torch for $1 from $index"
    rm -f "$stamp" # until the other build is there
    "$python" -m pip uninstall --quiet --yes torch
    "$python" -m pip install --quiet --disable-pip-version-check --index-url "$index" \
        "$("$python" -c "$torch_requirement" "$root/pyproject.toml")" ||
        fail "torch for $1 could not be installed." "Look at the lines above."
    printf '%s' "$1" >"$stamp"
}

torch_requirement='
import sys, tomllib
with open(sys.argv[1], "rb") as file:
    names = tomllib.load(file)["project"]["dependencies"]
print(next(name for name in names if name.startswith("torch>")))'
