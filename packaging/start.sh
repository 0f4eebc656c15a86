#!/usr/bin/env bash
# Installs what is missing, makes two pictures (one from words, and an enlarged photograph), and opens
# the studio where there is a display.
#
#   bash packaging/start.sh [--torch auto|cpu|cuda|rocm]
#
# The pictures go to build/pictures in this checkout, or to what PONYSTUDIO_PICTURES names.
set -uo pipefail
# shellcheck source=packaging/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
cd "$root" || exit 1

torch=auto
case $#:${1:-} in
0:) ;;
2:--torch) torch=$2 ;;
*) fail "\"$*\" is not understood." "Usage: bash packaging/start.sh [--torch auto|cpu|cuda|rocm]" ;;
esac
prepare "$torch" ""

pictures=${PONYSTUDIO_PICTURES:-$root/build/pictures}
ponystudio() { "$python" -m ponystudio "$@"; }

say "Making a picture from words with the starter model: a unicorn"
ponystudio run resources/graphs/text-to-picture.json --output "$pictures" ||
    fail "the picture was not made." "The line above says why."

say "Enlarging a photograph four times with the Real-ESRGAN weights that ship with PonyStudio"
ponystudio run resources/graphs/upscale.json --output "$pictures" ||
    fail "the photograph was not enlarged." "The line above says why."

say "Done. The pictures lie in $pictures"
cat <<TEXT
Other words make other pictures; resources/models/checkpoints/starter.md says which it knows:

  $venv/bin/ponystudio run resources/graphs/text-to-picture.json --set "positive.text=panda, flat, green background"

Larger models draw anything: set checkpoint.file to a Stable Diffusion checkpoint of your own.
TEXT

# On a desktop the studio opens, with a picture to make by one click; elsewhere this is the end.
if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] || [ "$(uname)" = Darwin ]; then
    say "Opening the studio. Another time: $venv/bin/ponystudio"
    exec "$python" -m ponystudio
fi
