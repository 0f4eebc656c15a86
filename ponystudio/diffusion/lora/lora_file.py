"""LoRA files and their kin: which layers of a network they match, and by what they change them.

Read are the kinds of `deltas`, in every common naming: kohya and LyCORIS
(`lora_unet_double_blocks_0_img_attn_qkv`), PEFT and diffusers
(`transformer.transformer_blocks.0.attn.to_q`), OneTrainer (`lora_transformer_…`), the attention
processors of early diffusers and of XLabs, the original names under any of the prefixes, and
numbers in place of names (`unet:0:up`, `counted_layers`). Names
are never taken apart at their underscores: a table is built from the names that the parameters of
the network have in every naming, and looked up. A layer that is one in the original network and
several in ours is cut into their rows. Importing this loads no torch.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from ponystudio.diffusion.architectures import architecture
from ponystudio.diffusion.families import Family, families, tower_prefix
from ponystudio.diffusion.families.text_encoder_specs import T5EncoderSpec, TextEncoderSpec
from ponystudio.diffusion.lora import counted_layers
from ponystudio.diffusion.lora.deltas import Delta, FullDelta, delta, rank_of
from ponystudio.diffusion.weights.name_table import FusedSlice, Table
from ponystudio.errors import MismatchedValues, UnsupportedModel, listed
from ponystudio.library.recognition.lora_layers import COUNTED, contents, flat
from ponystudio.library.recognition.signatures import lora_family
from ponystudio.system.json_reader import read_json

if TYPE_CHECKING:
    from torch import nn

    from ponystudio.library.formats.weights_file import WeightsFile

PREFIXES = (
    *("lora_unet_", "lora_transformer_", "lycoris_", "unet_", "transformer_", "diffusion_model_"),
    *("base_model_model_", ""),
)
# What tells the layers of text encoders, whichever network they are for.
TEXT_LAYER = re.compile(
    r"(lora_te[123]?|text_encoder(_[23]|s)?|te[123]?)_|text_model_|encoder_(block|layers)_"
    r"|text_encoder:"
)
# Early diffusers called the text encoder's projections q_proj … as the denoiser's.
OLD_PROJECTION = re.compile(r"(q|k|v|out)_proj$")


class Place(NamedTuple):
    """A parameter that a layer of a file changes, with those of its rows that `cut` says."""

    parameter: str
    cut: FusedSlice | None = None

    @property
    def bias(self) -> str:
        """The parameter that the same rows of its bias change."""
        return self.parameter.removesuffix(".weight") + ".bias"


def table(part: str, family: Family, parameters: Iterable[str]) -> Mapping[str, tuple[Place, ...]]:
    """Flattened name in every naming → the places of that layer in the network of a part.

    `part` is "model" or "clip", `parameters` are our names of those of its network.
    """
    # A layer is a module, or a parameter that is called anything but a weight.
    layers = {
        name.removesuffix(".weight"): name for name in parameters if not name.endswith(".bias")
    }
    named = _text(family, layers) if part == "clip" else _denoiser(family, layers)
    places: defaultdict[str, dict[Place, None]] = defaultdict(dict)
    for name, layer, cut in named:
        if parameter := layers.get(layer.removesuffix(".weight")):
            places[name][Place(parameter, cut)] = None
    return {name: tuple(found) for name, found in places.items()}


def _denoiser(family: Family, ours: Iterable[str]) -> Table:
    own: Table = [(name, name, None) for name in ours]
    # Early attention processors name the projection alone, not its place in a list.
    early = [(name.removesuffix(".0"), name, None) for name in ours if "to_out" in name]
    known = architecture(family.architecture)
    originals, trainers = known.aliases(ours), known.lora_aliases(ours)
    for theirs, layer, cut in chain(own, early, originals, trainers):
        for prefix in PREFIXES:
            yield prefix + flat(theirs), layer, cut


def _text(family: Family, ours: Iterable[str]) -> Table:
    for number, tower in enumerate(family.towers, 1):
        root = tower_prefix(family, tower)
        stem = "encoder." if isinstance(tower, T5EncoderSpec) else "text_model."
        starts = list(_starts(number, tower))
        for name in ours:
            if name.startswith(root):
                bare = name.removeprefix(root).removeprefix(stem)
                aliases = {bare, stem + bare}
                aliases |= {OLD_PROJECTION.sub(r"to_\1", alias) for alias in aliases}
                for alias in aliases:
                    for start in starts:
                        yield start + flat(alias), name, None


def _starts(number: int, tower: TextEncoderSpec) -> Iterator[str]:
    """The prefixes of the first, second or third text encoder of a family."""
    if number == 1:
        yield from ("lora_te_", "text_encoder_", "te_", "")
    yield from (f"lora_te{number}_", f"text_encoder_{number}_", f"te{number}_")
    if isinstance(tower, T5EncoderSpec):
        yield "lora_te3_"  # kohya counts it third beside one other too
    yield f"text_encoders_{tower.name}_transformer_"


# PEFT's settings, which diffusers writes into the metadata, one set a component.
PEFT_COMPONENTS = {
    "model": ("unet.", "transformer."),
    "clip": ("text_encoder.", "text_encoder_2.", "text_encoder_3."),
}


@dataclass(frozen=True)
class MatchedLora:
    """What a LoRA does to one network: parameter → delta, and the layers that found none."""

    deltas: Mapping[str, Delta]
    unmatched: tuple[str, ...]


class LoraFile:
    """An open LoRA file. Of equal `content`, files are equal patches."""

    orders: ClassVar[bool] = False

    def __init__(self, file: WeightsFile, content: str) -> None:
        self.path = Path(file.path)
        self.content = content
        self.layers = contents(self.path, file.tensors).layers
        self._file = file

    def effect(self, strength: float) -> str:
        return f"{self.path.name} at the strength {strength:g}"

    def for_module(self, part: str, module: nn.Module, family: Family) -> MatchedLora:
        """The deltas for the network of a part, "model" or "clip", of a model of a family.

        Raises MismatchedValues where the file was made for another base model: where a delta has
        another shape than its weight, or where the file has layers for this part and none is here;
        UnsupportedModel for what cannot be cut.
        """
        parameters = dict(module.named_parameters())
        places = {**table(part, family, parameters), **self._counted(part, module)}
        mine = [name for name in self.layers if bool(TEXT_LAYER.match(name)) == (part == "clip")]
        found: dict[str, Delta] = {}
        for name in mine:
            for path, change in self._deltas(name, part, places.get(name, ())):
                if path not in parameters or not change.fits(tuple(parameters[path].shape)):
                    shape = list(parameters[path].shape) if path in parameters else "not"
                    raise self._wrong_base(family, f"{path} is {shape} there")
                found[path] = change
        unmatched = tuple(name for name in mine if name not in places)
        # A text encoder that is not here may be one that its model works without.
        lacks = not found and not (part == "clip" and any(t.optional for t in family.towers))
        if unmatched and (lacks or self.base not in ("", family.title)):
            raise self._wrong_base(family, f"it has none of the layers {listed(unmatched, 3)}")
        return MatchedLora(found, unmatched)

    @property
    def base(self) -> str:
        """The title of the base model it was made for; "" where the file does not tell."""
        return _title(lora_family(self._file.tensors))

    def close(self) -> None:
        self._file.close()

    def _counted(self, part: str, module: nn.Module) -> dict[str, tuple[Place, ...]]:
        """Of layers that have numbers in place of names, the places."""
        component = {"model": "unet", "clip": "text_encoder"}[part]
        pairs = {}
        for name, roles in self.layers.items():
            layer, _, number = name.partition(":")
            if layer == component and COUNTED.fullmatch(f"{name}:up"):
                up, down = (self._file.tensors[roles[role]].shape for role in ("up", "down"))
                pairs[int(number)] = up[0], math.prod(down[1:])
        if not pairs:
            return {}
        said = self._file.metadata.get(component)
        found = counted_layers.layers(component, module, said, pairs, self.path)
        return {f"{component}:{n}": (Place(f"{name}.weight"),) for n, name in found.items()}

    def _wrong_base(self, family: Family, why: str) -> MismatchedValues:
        made_for = self.base or "another base, or written in a dialect that is not known here,"
        if made_for == family.title:
            made_for = f"another model of {family.title}"
        return MismatchedValues(
            f"This LoRA was made for {made_for} and does not fit this model"
            f" ({family.title}): {why}.",
            where=str(self.path),
            remedy="Use it with models of the base that it was trained on.",
        )

    def _deltas(self, name: str, part: str, places: Iterable[Place]) -> Iterator[tuple[str, Delta]]:
        """Parameter → what is added to it, for one layer."""
        from ponystudio.diffusion.weights.weights import tensor

        roles = {role: tensor(self._file, key) for role, key in self.layers[name].items()}
        weight = delta(roles, self._scale(name, part, roles))
        bias = delta({"diff": roles["bias"]}, 1.0) if "bias" in roles else None
        if "up_bias" in roles:
            bias = FullDelta(self._scale(name, part, roles), None, roles["up_bias"])
        for place in places:
            if weight:
                yield place.parameter, self._cut(name, weight, place.cut)
            if bias:
                yield place.bias, self._cut(name, bias, place.cut)

    def _cut(self, name: str, change: Delta, cut: FusedSlice | None) -> Delta:
        if cut is None:
            return change
        if not change.may_cut(cut):
            raise UnsupportedModel(
                f"This LoRA sets the lengths of the columns of {name!r} (DoRA), which is one layer"
                " there and several here.",
                where=str(self.path),
                remedy="Use a DoRA that sets those of the rows, or a plain LoRA.",
            )
        return change.cut(cut)

    def _scale(self, name: str, part: str, roles: Mapping[str, Any]) -> float:
        """s = α/rank, where nothing says α: 1."""
        rank = rank_of(roles)
        if not rank:
            return 1.0
        settings = self._peft_settings(part)
        if "alpha" in roles:
            alpha = float(roles["alpha"])
        else:
            said = _of_layer(settings.get("alpha_pattern"), name, settings.get("lora_alpha"))
            alpha = float(said) if isinstance(said, int | float) else rank
        return alpha / (math.sqrt(rank) if settings.get("use_rslora") else rank)

    def _peft_settings(self, part: str) -> dict[str, Any]:
        try:
            settings = read_json(self._file.metadata.get("lora_adapter_metadata", "{}"))
        except ValueError:
            return {}
        if not isinstance(settings, dict):
            return {}
        return {
            name.removeprefix(component): value
            for component in PEFT_COMPONENTS[part]
            for name, value in settings.items()
            if name.startswith(component)
        }


def read(path: Path, content: str = "") -> LoraFile:
    """Open a LoRA file; its tensors stay mapped until it is closed.

    `content` stands for its bytes; without it they are read.

    Raises UnsupportedModel for kinds that are not computed and unknown dialects, WrongKind for a
    file that holds no LoRA, and what `library.open_weights` raises for damaged and unsafe files.
    """
    from ponystudio.library.formats.content_id import content_id
    from ponystudio.library.formats.number_check import check_numbers
    from ponystudio.library.formats.weights_file import open_weights

    check_numbers(path)
    file = open_weights(path)
    try:
        return LoraFile(file, content or content_id(path))
    except BaseException:
        file.close()
        raise


def notes(path: Path, family: str) -> list[str]:
    """What of a LoRA has no effect on a model of `family` ("sd1", ...), and what else it brings:
    one plain sentence each.

    Raises MismatchedValues when it was made for another base, and what `read` raises.
    """
    from ponystudio.library.formats.number_check import check_numbers
    from ponystudio.library.formats.weights_file import open_weights

    with open_weights(path) as file:
        held = contents(path, file.tensors)
        check_numbers(path)
        base, total = _title(lora_family(file.tensors)), len(file.tensors)
    wanted = _title(family)
    if base and base != wanted:
        raise MismatchedValues(
            f"This LoRA was made for {base}, the model is {wanted}.",
            where=str(path),
            remedy=f"Use it with a model of {base}, or choose a LoRA for {wanted}.",
        )
    said = []
    if held.unknown:
        said.append(
            f"Of no kind that is known here, and so without effect: {len(held.unknown)} of the"
            f" {total} tensors of {path.name} ({listed(held.unknown, 3)})"
        )
    if held.words:
        said.append(
            f"{path.name} brings textual inversions for the prompts behind it:"
            f" {', '.join(f'embedding:{word}' for word in held.words)}"
        )
    return said


def _of_layer(pattern: Any, layer: str, otherwise: Any) -> Any:
    """What PEFT's `alpha_pattern` says of a layer."""
    if isinstance(pattern, dict):
        for name, value in pattern.items():
            if isinstance(name, str) and layer.endswith(flat(name)):
                return value
    return otherwise


def _title(family: str) -> str:
    """Of families that cannot be run, the name."""
    return families()[family].title if family in families() else family.replace("_", " ")
