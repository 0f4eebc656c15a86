"""What the fields of A1111's `parameters` mean, as it, Forge, stable-diffusion.cpp and many others
write them. `infotext_writer.py` writes them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count
from pathlib import PurePosixPath
from typing import Literal, TypeVar

from ponystudio.graph.editing.lora_tags import tags, without_tags
from ponystudio.graph.generation import a1111_names as names
from ponystudio.graph.generation import infotext_values as values
from ponystudio.graph.generation.generation_params import (
    GenerationParams,
    Refiner,
    RuleDetails,
    SecondPass,
    Source,
    UsedLora,
    UsedModel,
)
from ponystudio.graph.generation.infotext_grammar import Infotext, parse
from ponystudio.graph.generation.infotext_values import named_model, shortly

T = TypeVar("T")

MOST_REMARKS = 50
LONGEST_LIST = 64_000
"""Letters of hashes by name."""
OWN, CARD_THREADS = "PonyStudio", "Card threads"
"""The program, and a field of its own: how many threads the card ran that the noise is of."""

# "mane: 0123456789ab, hat: 9f31c2d07a55"; names may hold commas, so it is split behind hashes.
_LISTED_HASH = re.compile(r": ?(?P<hash>[0-9a-fA-F]++)(?:, |,?\Z)")
_LORA_KINDS = ("lora", "lycoris", "locon", "dora")
_MOST_INSIDE = 5
_ADDED = re.compile(r"(?P<name>[^()]*+)\((?P<hash>[0-9a-fA-F]{1,64})\)\s*")
# From this version on a sampler's name says no schedule; until that other ᾱ were halved.
_NAMES_SPLIT, _WHOLE_ALPHAS = (1, 9, 0, 0), (1, 7, 0, 225)
# From this one on a refiner takes over by the time of the training, which these schedules share
# out evenly among the steps.
_SWITCHES_BY_TIME = (1, 8, 0, 0)
_EVEN = ("normal", "simple", "sgm_uniform", "ddim_uniform")
# Numbers of an NVIDIA card of fewer threads than all in use have.
_EVERY_CARD = 40_960

# Fields that say nothing of what is made; they are kept, and nobody is told of them.
SILENT = frozenset(
    (
        *("App", "Backend", "Batch pos", "Batch size", "Civitai metadata", "Created Date"),
        *("Face restoration model", "Init image hash", "Mask hash", "Negative Template"),
        *("Operations", "Parser", "Pipeline", "Styles", "Template", "Time taken", "User"),
        *("Version", "Wildcard prompt"),
    )
)
# Values that say nothing new.
_USUAL: Mapping[str, tuple[str, ...]] = {
    "VAE Encoder": ("Full",),
    "VAE Decoder": ("Full",),
    "FP8 weight": ("Disable",),
    "Noise Schedule": ("Default",),
    "Tiling": ("False",),
    "Emphasis": ("Original",),
}


def looks_like(text: str) -> bool:
    """Whether a text is such a one: it has fields that A1111 and its kin always write."""
    fields = parse(text).fields
    return "Steps" in fields and not fields.keys().isdisjoint(
        ("Sampler", "Seed", "Size", "CFG scale", "Model")
    )


def read(text: str) -> GenerationParams:
    """What a text says; it holds remarks for what cannot be matched. Any text can be read."""
    parts = parse(text)
    return _FieldsReader(parts).params()


class _FieldsReader:
    """Takes one field after the other; what nobody takes is told of."""

    def __init__(self, parts: Infotext) -> None:
        self._parts = parts
        self._left = dict(parts.fields)
        self._kept: dict[str, str] = {}
        self._remarks: list[str] = []

    def params(self) -> GenerationParams:
        program, version = self._program()
        own = program == OWN
        theirs: Literal["comfyui", "a1111"]
        theirs = "comfyui" if program == "ComfyUI" or own else "a1111"
        if own and self._take("Rules") == "a1111":
            theirs = "a1111"
        comfyui = program == "ComfyUI" or self._take("Prompt dialect") == "comfyui"
        prompt, loras, hypernetworks = self._networks()
        found = GenerationParams(
            program=program,
            version=version,
            prompt=prompt,
            negative=self._parts.negative,
            dialect="comfyui" if comfyui else "a1111",
            rules=theirs,
            loras=loras,
            hypernetworks=hypernetworks,
        )
        found = self._models(found)
        found = self._sampling(found)
        found = self._size(found)
        found = self._noise(found)
        found = self._refiner(found)
        self._tell_the_rest()
        remarks = self._remarks
        if len(remarks) > MOST_REMARKS:
            more = len(remarks) - MOST_REMARKS
            remarks = [*remarks[:MOST_REMARKS], f"{more} more fields are left out"]
        return replace(found, other=self._kept, remarks=tuple(remarks))

    # --- Fields -----------------------------------------------------------------------------------

    def _take(self, name: str) -> str:
        return self._left.pop(name, "")

    def _has(self, *wanted: str) -> bool:
        return any(name in self._left for name in wanted)

    def _value(self, name: str, read: Callable[[str], T | None], what: str) -> T | None:
        """A field's value; one that is no such thing is kept, and told of."""
        if name not in self._left:
            return None
        text = self._take(name)
        found = read(text)
        if found is None:
            self._keep(name, text, f"{name}: {shortly(text)} is no {what}, and left out")
        return found

    def _number(self, name: str, otherwise: float = 0.0) -> float:
        found = self._value(name, values.number, "number")
        return otherwise if found is None else found

    def _whole(self, name: str, otherwise: int = 0) -> int:
        found = self._value(name, values.whole, "whole number")
        return otherwise if found is None else found

    def _yes(self, name: str) -> bool:
        return bool(self._value(name, values.yes_or_no, "yes or no"))

    def _pair(self, name: str) -> tuple[int, int]:
        return self._value(name, values.size, "size") or (0, 0)

    def _keep(self, name: str, text: str, remark: str = "") -> None:
        """Under `other`, so that it is written as it stands."""
        self._kept[name] = text
        if remark:
            self._remarks.append(remark)

    def _tell_the_rest(self) -> None:
        for name, text in self._left.items():
            silent = name in SILENT or text in _USUAL.get(name, ()) or text.startswith("Use same")
            self._keep(name, text, "" if silent else f"{name}: {shortly(text)} is not done here")

    # --- Whose it is ------------------------------------------------------------------------------

    def _program(self) -> tuple[str, str]:
        version, app = self._take("Version"), self._left.get("App", "")
        name, _, number = version.partition(" ")
        if name == OWN:
            return OWN, number
        if version.startswith("ComfyUI"):
            return "ComfyUI", version
        if "stable-diffusion.cpp" in version:
            return "stable-diffusion.cpp", version
        if app:
            return shortly(app), version
        if re.match(r"f\d|neo", version):
            return "Forge", version
        return "A1111", version

    # --- Models -----------------------------------------------------------------------------------

    def _networks(self) -> tuple[str, tuple[UsedLora, ...], tuple[UsedLora, ...]]:
        """The prompt without its tags, and what they name."""
        text = self._parts.prompt
        hashes = self._listed("Lora hashes")
        for name, hash in values.hashes_in(self._left.get("Hashes", "")).items():
            if name.startswith("lora:"):
                hashes.setdefault(values.tag_name(name.removeprefix("lora:")), hash)
        resources = {
            title: item
            for item in values.resources_in(self._left.get("Civitai resources", ""))
            if item.get("type") in _LORA_KINDS and (title := values.title_of(item))
        }
        found = [tag for tag in tags(text) if tag.name][: values.MOST_LISTED]
        loras = [
            UsedLora(tag.name, tag.strength, tag.clip_strength)
            for tag in found
            if tag.kind == "loras"
        ]
        loras += self._added()
        if not loras:
            for title, item in resources.items():
                weight = values.weight(item.get("weight"))
                loras.append(UsedLora(title, weight, weight))
        if not loras:
            for name in filter(None, hashes):
                self._remarks.append(
                    f"The LoRA {shortly(name)} is taken in full: no weight is said"
                )
                loras.append(UsedLora(values.tag_name(name)))
        networks = [
            UsedLora(tag.name, tag.strength, tag.strength) for tag in found if tag.kind != "loras"
        ]
        if network := values.tag_name(self._take("Hypernet")):
            weight = values.weight(self._number("Hypernet strength", 1.0))
            networks.append(UsedLora(network, weight, weight, self._take("Hypernet hash")))
        loras = [
            replace(
                lora,
                hash=lora.hash or hashes.get(lora.name, ""),
                url=values.page_of(resources.get(lora.name, {})),
            )
            for lora in loras
        ]
        for _ in range(_MOST_INSIDE):  # tags may be left of those that stood around others
            if (rest := without_tags(text)) == text:
                break
            text = rest
        return text.strip(), tuple(loras), tuple(networks)

    def _added(self) -> Iterator[UsedLora]:
        """Of the extension that applied LoRAs before A1111 itself did."""
        if not self._yes("AddNet Enabled"):
            return
        for number in count(1):
            if (model := self._take(f"AddNet Model {number}")) == "":
                return
            if self._take(f"AddNet Module {number}") not in ("", "LoRA"):
                self._remarks.append(f"AddNet Model {number}: {shortly(model)} is no LoRA")
                continue
            strength = values.weight(self._number(f"AddNet Weight A {number}", 1.0))
            clip = values.weight(self._number(f"AddNet Weight B {number}", strength))
            named = _ADDED.fullmatch(model)
            name, hash = (named["name"], named["hash"].lower()) if named else (model, "")
            yield UsedLora(values.tag_name(name), strength, clip, hash)

    def _listed(self, name: str) -> dict[str, str]:
        """Hashes by name."""
        found: dict[str, str] = {}
        text, place = self._take(name), 0
        for match in _LISTED_HASH.finditer(text[:LONGEST_LIST]):
            if len(found) < values.MOST_LISTED:
                found[values.tag_name(text[place : match.start()])] = match["hash"].lower()
            place = match.end()
        return found

    def _models(self, found: GenerationParams) -> GenerationParams:
        hashes = values.hashes_in(self._take("Hashes"))
        if said := self._take("Civitai resources"):
            self._keep("Civitai resources", said)
        resources = values.resources_in(said)
        checkpoint = next((item for item in resources if item.get("type") == "checkpoint"), {})
        model = UsedModel(
            self._take("Model") or values.title_of(checkpoint),
            self._take("Model hash") or hashes.get("model", ""),
            values.page_of(checkpoint),
        )
        vae = UsedModel(self._take("VAE"), self._take("VAE hash") or hashes.get("vae", ""))
        if vae.name in ("Automatic", "None"):
            vae = UsedModel()
        embeddings = self._listed("TI hashes") | {
            values.tag_name(name.removeprefix("embed:")): hash
            for name, hash in hashes.items()
            if name.startswith("embed:")
        }
        encoders: list[UsedModel] = []
        for number in count(1):
            if not (module := self._take(f"Module {number}")):
                break
            if re.match(r"(ae|vae|.*[_-]vae|sdxl_vae.*)\b", PurePosixPath(module).stem, re.I):
                vae = vae or UsedModel(module)
            else:
                encoders.append(UsedModel(module))
        family = ""
        if encoders:
            family = values.family_of([encoder.name for encoder in encoders])
        return replace(
            found,
            model=model,
            vae=vae,
            embeddings=embeddings,
            text_encoders=tuple(encoders),
            family=family,
        )

    # --- Sampling ---------------------------------------------------------------------------------

    def _sampling(self, found: GenerationParams) -> GenerationParams:
        sampler, scheduler = self._sampler(found)
        cfg = self._number("CFG scale", 7.0)
        guidance = self._value("Distilled CFG Scale", values.number, "number")
        told = self._value("Guidance", values.number, "number")
        if guidance is None and cfg == 1.0:  # others than FLUX are not told, but it is written
            guidance = told
        eta = self._value("Eta", values.number, "number")
        ddim = self._value("Eta DDIM", values.number, "number")
        if ddim is not None and sampler == "ddim":
            eta = ddim
        return replace(
            found,
            sampler=sampler,
            scheduler=scheduler,
            steps=self._whole("Steps", 20),
            cfg=cfg,
            guidance=guidance,
            rescale=self._number("CFG Rescale") or self._number("CFG Rescale φ"),
            shift=self._value("Shift", values.number, "number"),
            clip_skip=self._clip_skip(found),
            eta=eta,
            s_noise=self._value("Sigma noise", values.number, "number"),
            details=self._details(found),
        )

    def _sampler(self, found: GenerationParams) -> tuple[str, str]:
        text, type = self._take("Sampler"), self._take("Schedule type")
        type = type or self._take("Scheduler")
        sampler, scheduler = names.sampler_of(text)
        if sampler.endswith("_gpu"):
            self._keep("Sampler", text)  # whose name there does not say so
        if not sampler:
            sampler = "euler"
            if text:
                self._keep(
                    "Sampler",
                    text,
                    f"Sampler: {shortly(text)} is not known here: Euler in its place",
                )
        if type and type != "Automatic":
            if known := names.schedule_of(type):
                return sampler, known
            self._keep("Schedule type", type, f"Schedule type: {shortly(type)} is not known here")
        if scheduler:
            return sampler, scheduler
        # Before they were two fields, a bare name meant the uniform schedule.
        split = type == "Automatic" or values.version_of(found.version) >= _NAMES_SPLIT
        return sampler, "auto" if split or found.program == OWN else "normal"

    def _clip_skip(self, found: GenerationParams) -> int:
        """Theirs counts from 1, the last layer; 2 is what SDXL does anyway."""
        layers = abs(self._whole("Clip skip", 0))  # some count down from the last layer, as -1
        if layers > 2 and found.program not in (OWN, "ComfyUI"):
            self._remarks.append(f"Clip skip {layers} counts for SD 1 and 2: set it to 0 for SDXL")
        return layers if layers > 1 or found.program == OWN else 0

    def _details(self, found: GenerationParams) -> RuleDetails:
        half = self._yes("Downcast alphas_cumprod")
        if found.program == "A1111" and found.version:
            half = half or (0,) < values.version_of(found.version) < _WHOLE_ALPHAS
        schedule = self._take("Noise Schedule")
        zero_snr = schedule == "Zero Terminal SNR"
        if schedule and not zero_snr:
            self._left["Noise Schedule"] = schedule
        return RuleDetails(
            scaled_start=self._yes("SGM noise multiplier"),
            quantized=self._yes("Quantize") or found.program == "Forge",
            half_alphas=half,
            zero_snr=zero_snr,
            discard=self._yes("Discard penultimate sigma"),
            sigma_min=self._number("Schedule min sigma"),
            sigma_max=self._number("Schedule max sigma"),
            rho=self._number("Schedule rho"),
        )

    def _noise(self, found: GenerationParams) -> GenerationParams:
        noise, threads = self._generator(found)
        share = self._number("Variation seed strength")
        first, seed = self._whole("Seed"), self._whole("Variation seed")
        if not 0 <= first < 2**64:
            self._remarks.append(f"Seed: {first} has not 64 bits: {first % 2**64} is taken")
        width, height = (
            self._pair("Seed resize from") if self._sized("Seed resize from") else (0, 0)
        )
        offset = self._whole("ENSD")
        batch, index = self._whole("Batch size", 1), self._whole("Batch pos")
        # Models that are told of guidance, or have text encoders beside them, have larger latents.
        large = found.guidance is not None or found.text_encoders
        sizes = [(found.width, found.height)]
        if found.hires is not None:
            sizes.append(found.hires.size(found.width, found.height))
        elements = (16 if large else 4) * max((w // 8) * (h // 8) for w, h in sizes)
        if noise == "nvidia" and threads is None and elements > _EVERY_CARD:
            self._remarks.append(
                "Its noise was drawn on a graphics card of which the text says nothing: at this"
                " size it depends on how many threads that runs at once"
            )
        return replace(
            found,
            seed=first % 2**64,
            variation=share,
            variation_seed=seed % 2**64 if share else 0,
            resize_from=(width, height),
            seed_offset=offset,
            noise=noise,
            threads=threads,
            batch=max(batch, 1),
            batch_index=index if batch > 1 else 0,
        )

    def _generator(
        self, found: GenerationParams
    ) -> tuple[Literal["cpu", "gpu", "nvidia"], int | None]:
        said, threads = self._take("RNG"), self._whole(CARD_THREADS)
        word = said.lower()
        if threads > 0:
            return "nvidia", threads
        if word in ("cpu", "std_default") or (not word and found.program in (OWN, "ComfyUI")):
            return "cpu", 0
        if found.program == OWN and word == "gpu":
            return "gpu", 0
        if word in ("nv", "cuda"):
            return "nvidia", 0
        if word not in ("gpu", ""):
            self._keep(
                "RNG", said, f"RNG: {shortly(said)} is not known here: that of NVIDIA's cards"
            )
        return "nvidia", None

    def _sized(self, name: str) -> bool:
        """Whether it says a size; some write -1x-1 or 0x0 for none."""
        if self._left.get(name, "") in ("-1x-1", "0x0", "-1x0", "0x-1"):
            self._take(name)
        return name in self._left

    # --- Passes -----------------------------------------------------------------------------------

    def _size(self, found: GenerationParams) -> GenerationParams:
        width, height = self._pair("Size")
        if not width or not height:
            width, height = 512, 512
            self._kept.pop("Size", None)
            self._remarks.append("No size is said: 512 × 512 is taken")
        strength = self._value("Denoising strength", values.number, "number")
        hires: SecondPass | None = None
        sized = self._has("Hires upscale", "Hires resize")
        if not sized and self._has("First pass size"):
            first = self._pair("First pass size")
            hires = SecondPass(width=width, height=height)
            width, height = first if all(first) else _first_pass(width, height)
        elif sized or self._has("Hires upscaler", "Hires steps"):
            large = self._pair("Hires resize") if self._sized("Hires resize") else (0, 0)
            scale = self._number("Hires upscale", 2.0)
            hires = SecondPass(0.0 if any(large) else max(scale, 0.0), *large)
        found = replace(found, width=width, height=height)
        if hires is not None:
            hires = replace(
                hires, denoise=0.7 if strength is None else min(max(strength, 0.0), 1.0)
            )
            return replace(found, hires=self._hires(hires))
        if strength is None or strength <= 0:
            return found
        return replace(found, source=self._source(strength, found))

    def _hires(self, hires: SecondPass) -> SecondPass:
        text = self._take("Hires upscaler")
        space: Literal["latent", "picture"] = "picture"
        method, upscaler = "lanczos", UsedModel()
        if text in names.PICTURE_UPSCALERS:
            method = names.PICTURE_UPSCALERS[text]
        elif text and not text.startswith("Latent"):
            upscaler = UsedModel(names.UPSCALERS.get(text, text))
        else:
            space, method = "latent", names.LATENT_UPSCALERS.get(text or "Latent", "")
            if not method:
                method = next(
                    (m for m in ("nearest-exact", "bicubic") if m[:7] in text), "bilinear"
                )
                # Antialiasing changes nothing of what bilinear enlarges.
                same = text == "Latent (antialiased)"
                remark = "" if same else f"Hires upscaler: {shortly(text)} is {method} here"
                self._keep("Hires upscaler", text, remark)
        sampler, scheduler = "", ""
        if (said := self._take("Hires sampler")) not in ("", "Use same sampler"):
            sampler, scheduler = names.sampler_of(said)
            if not sampler:
                self._keep(
                    "Hires sampler", said, f"Hires sampler: {shortly(said)} is not known here"
                )
        said = self._take("Hires schedule type")
        if said == "Automatic":
            scheduler = "auto"
        elif said not in ("", "Use same scheduler") and not (scheduler := names.schedule_of(said)):
            self._keep(
                "Hires schedule type",
                said,
                f"Hires schedule type: {shortly(said)} is not known here",
            )
        checkpoint = self._take("Hires checkpoint")
        model = UsedModel() if checkpoint == "Use same checkpoint" else named_model(checkpoint)
        cfg = self._value("Hires CFG Scale", values.number, "number")
        prompts = [self._left.pop(name, None) for name in ("Hires prompt", "Hires negative prompt")]
        if tags(prompts[0] or ""):
            self._remarks.append("Hires prompt: its tags are left out, and apply no files here")
        return replace(
            hires,
            space=space,
            method=method,
            upscaler=upscaler,
            steps=self._whole("Hires steps"),
            sampler=sampler,
            scheduler=scheduler,
            cfg=cfg if cfg else self._value("Hires CFG scale", values.number, "number"),
            model=model,
            prompt=prompts[0] or None,
            negative=prompts[1] or None,
        )

    def _source(self, strength: float, found: GenerationParams) -> Source:
        masked = self._has(
            "Mask blur", "Mask blur X", "Mask mode", "Masked content", "Inpaint area"
        )
        crop = self._left.get("Resize mode", "")
        if crop in ("Just resize", "Crop and resize"):
            self._take("Resize mode")
        for name, usual in (
            ("Masked content", "original"),
            ("Inpaint area", "Whole picture"),
            ("Mask mode", "Inpaint masked"),
        ):
            if self._left.get(name) == usual:
                self._take(name)
        inverted = self._left.get("Mask mode") == "Inpaint not masked"
        if inverted:
            self._take("Mask mode")
        return Source(
            denoise=min(strength, 1.0),
            counted="share" if found.rules == "a1111" else "done",
            crop=crop == "Crop and resize",
            masked=masked,
            mask_blur=max(self._number("Mask blur"), 0.0),
            inverted=inverted,
        )

    def _refiner(self, found: GenerationParams) -> GenerationParams:
        if not (text := self._take("Refiner")):
            return found
        share = self._number("Refiner switch at", 0.8)
        by_steps = values.version_of(found.version) < _SWITCHES_BY_TIME or found.program == OWN
        if said := self._take("Refiner switch by sampling steps"):
            self._keep("Refiner switch by sampling steps", said)
            by_steps = True
        even = found.scheduler in _EVEN
        if found.scheduler == "auto":
            even = not found.sampler.startswith(("dpmpp", "dpm_2"))
        if not by_steps and not even:
            self._remarks.append(
                "The refiner takes over at a share of the steps here, and there of the training's"
            )
        return replace(found, refiner=Refiner(named_model(text), min(max(share, 0.0), 1.0)))


def _first_pass(width: int, height: int) -> tuple[int, int]:
    """The size that old versions chose where 0x0 stands: about as large as 512 × 512."""
    scale = 512 / math.sqrt(width * height)
    return math.ceil(scale * width / 64) * 64, math.ceil(scale * height / 64) * 64
