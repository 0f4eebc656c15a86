#!/usr/bin/env bash
# Installs what is missing and makes two pictures: an enlarged photograph, and one from words.
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
models=$root/build/models
ponystudio() { "$python" -m ponystudio "$@"; }

say "Enlarging a photograph four times with the Real-ESRGAN weights that ship with PonyStudio"
ponystudio run resources/graphs/upscale.json --output "$pictures" ||
    fail "the photograph was not enlarged." "The line above says why."

checkpoint=$models/checkpoints/random.safetensors
if [ ! -f "$checkpoint" ]; then
    say "Writing a small checkpoint with random, seeded weights to try text to picture with"
    { mkdir -p "$models/checkpoints" &&
        "$python" tests/helpers/make_checkpoint.py micro "$checkpoint.part" >/dev/null &&
        mv "$checkpoint.part" "$checkpoint"; } ||
        fail "the checkpoint was not written." "Is there room on the disk?"
fi

say "Making a picture from words with it"
ponystudio run resources/graphs/text-to-picture.json --models "$models" \
    --set checkpoint.file=random.safetensors --output "$pictures" ||
    fail "the picture was not made." "The line above says why."

say "Done. The pictures lie in $pictures"
cat <<TEXT
The second one shows only a pattern, since the weights of that checkpoint are random numbers.
For real pictures use a Stable Diffusion 1 checkpoint of your own:

  $venv/bin/ponystudio run resources/graphs/text-to-picture.json --set checkpoint.file=/path/to/it
TEXT
