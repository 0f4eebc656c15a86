"""The graph that makes a picture as its GenerationParams say, laid out from left to right."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from itertools import chain
from typing import Any, NamedTuple

from ponystudio.errors import GraphError, GraphFileError
from ponystudio.graph.catalog import shipped_catalog
from ponystudio.graph.comfyui.card_noise import DRAWN
from ponystudio.graph.comfyui.importer import Imported, Remark
from ponystudio.graph.editing.card_sizes import card_size
from ponystudio.graph.generation.generation_params import (
    GenerationParams,
    Refiner,
    RuleDetails,
    SecondPass,
    Source,
    UsedModel,
)
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.graph.model_facts import hexadecimal, kind_of_hash, with_facts
from ponystudio.graph.plain_json import plain

MOST_FILES = 200
"""LoRAs of a text that become rows."""
# From one column of cards to the next, and from one card to that below it.
_COLUMN, _GAP, _GRID = 304, 40, 8
_LEAST = 1e-3  # share of the noise
_MOST_BLUR = 100.0


class _Parts(NamedTuple):
    """The outputs that a model comes with."""

    model: Link
    clip: Link
    vae: Link


class _Run(NamedTuple):
    """One way through noise levels: `steps` of them are done, the last of `total`; `denoise` is
    that of the sampler, which is told the former with `all_steps`, else the latter."""

    steps: int
    total: int
    denoise: float
    all_steps: bool = True

    @property
    def told(self) -> int:
        return self.steps if self.all_steps else self.total


def graph_of(params: GenerationParams) -> Imported:
    """The graph, with a remark for all that it cannot match. Raises GraphFileError for values that
    no graph can hold."""
    return _PassesBuilder(params).imported()


class _PassesBuilder:
    """Puts one node after the other into columns."""

    def __init__(self, params: GenerationParams) -> None:
        self._params = params
        self._nodes: dict[str, Node] = {}
        self._places: dict[str, Mapping[str, Any]] = {}
        self._models: dict[str, Any] = {}
        self._remarks: list[Remark] = [Remark("", text) for text in params.remarks]
        self._columns: dict[str, int] = {}
        self._bottoms: dict[int, int] = {}

    def imported(self) -> Imported:
        params = self._params
        base = self._model("checkpoint", params.model)
        parts = self._patched(base)
        vae = self._vae(base.vae)
        positive = self._prompt("positive", params.prompt, parts.clip)
        negative = self._prompt("negative", params.negative, parts.clip, "Negative prompt")
        column, latent, run = self._start(vae)
        last = params.hires is None
        column, latent = self._sampled(
            "sampler", column, parts, (positive, negative), latent, run, refined=last
        )
        if params.hires is not None:
            column, latent, vae = self._second_pass(params.hires, parts, vae, latent, column)
        image = self._decoded("decode", column, vae, latent)
        if params.batch > 1 and params.rules == "comfyui":
            column += 1
            picked = {"start": params.batch_index, "count": 1}
            self._add("pick", "core.pick_images", column, picked, image=image)
            image = Link("pick", "image")
        self._add("save", "core.save_image", column + 1, {}, image=image)
        return self._finished()

    def _finished(self) -> Imported:
        for name, hash in self._params.embeddings.items():
            self._know("embeddings", name, UsedModel(name, hash))
        try:
            nodes = {
                id: replace(node, params=plain(node.params)) for id, node in self._nodes.items()
            }
            view = {"nodes": self._places}
            graph = Graph(nodes, models=plain(self._models), view=view)
        except GraphError as error:
            raise GraphFileError(f"It holds what no graph can: {error.what}") from None
        return Imported(
            graph,
            remarks=tuple(self._remarks),
            mapped=len(nodes),
            program=self._params.program or "another program",
        )

    # --- Models -----------------------------------------------------------------------------------

    def _model(self, id: str, used: UsedModel, title: str = "") -> _Parts:
        """What loads a model: one file, or one with its text encoders beside it."""
        params = self._params
        kind = "diffusion_models" if params.text_encoders else "checkpoints"
        file = self._file(kind, used, id)
        prediction = {} if params.prediction == "auto" else {"prediction": params.prediction}
        if not params.text_encoders:
            self._add(id, "core.load_checkpoint", 0, {"file": file, **prediction}, title)
            return _Parts(Link(id, "model"), Link(id, "clip"), Link(id, "vae"))
        self._add(id, "core.load_model", 0, {"file": file, **prediction}, title)
        encoders = f"{id}_encoders"
        rows = [
            {"file": self._file("text_encoders", encoder, encoders), "on": True}
            for encoder in params.text_encoders
        ]
        values: dict[str, Any] = {"files": rows}
        if params.family:
            values["family"] = params.family
        self._add(encoders, "core.load_clip", 0, values)
        return _Parts(Link(id, "model"), Link(encoders, "clip"), Link("vae", "vae"))

    def _file(self, kind: str, used: UsedModel, id: str) -> str:
        """What the graph calls a file; a hash stands for one without a name."""
        hash = hexadecimal(used.hash)
        name = used.name.replace("\\", "/") or hash
        if not name:
            self._tell(id, "no model is named: choose one")
            return name
        self._know(kind, name, used)
        return name

    def _know(self, kind: str, name: str, used: UsedModel) -> None:
        """What the text says of a file stays in the graph, by which it may be found."""
        known = {"url": used.url} if used.url else {}
        if how := kind_of_hash(used.hash, kind):
            known[how] = hexadecimal(used.hash)
        if known:
            self._models = with_facts(self._models, kind, name, known)

    def _vae(self, otherwise: Link) -> Link:
        used = self._params.vae
        if not used:
            if otherwise.source not in self._nodes:
                self._add("vae", "core.load_vae", 0, {"file": ""})
                self._tell("vae", "no VAE is named: choose one")
            return otherwise
        self._add("vae", "core.load_vae", 0, {"file": self._file("vae", used, "vae")})
        return Link("vae", "vae")

    def _patched(self, parts: _Parts, prefix: str = "") -> _Parts:
        """With the LoRAs and what else changes a model."""
        params, (model, clip, vae) = self._params, parts
        if params.loras:
            id = f"{prefix}loras"
            if len(params.loras) > MOST_FILES:
                self._tell(id, f"more than {MOST_FILES} LoRAs are named, and the rest left out")
            rows = [
                {
                    "on": True,
                    "file": self._file("loras", UsedModel(lora.name, lora.hash, lora.url), id),
                    "strength": lora.strength,
                    "clip_strength": lora.clip_strength,
                }
                for lora in params.loras[:MOST_FILES]
            ]
            self._add(id, "core.apply_loras", 1, {"loras": rows}, model=model, clip=clip)
            model, clip = Link(id, "model"), Link(id, "clip")
        for number, network in enumerate(params.hypernetworks, 1):
            id = f"{prefix}hypernetwork_{number}"
            file = self._file("hypernetworks", UsedModel(network.name, network.hash), id)
            values = {"file": file, "strength": network.strength}
            self._add(id, "core.apply_hypernetwork", 1, values, model=model)
            model = Link(id, "model")
        if params.shift is not None:
            id = f"{prefix}shift"
            self._add(id, "core.set_shift", 1, {"shift": params.shift}, model=model)
            model = Link(id, "model")
        return _Parts(model, clip, vae)

    def _by_rules(self, id: str, column: int, model: Link, run: _Run) -> Link:
        """The model with A1111's rules, where a sampler alone cannot say all of them."""
        said = self._said_of_rules()
        if self._params.rules != "a1111" or not (said or self._in_parts()):
            return model
        if run.all_steps and run.denoise < 1:
            said["all_steps"] = True
        self._add(f"{id}_rules", "core.a1111_rules", column, said, model=model)
        return Link(f"{id}_rules", "model")

    def _said_of_rules(self) -> dict[str, Any]:
        """Where A1111's rules are not as they usually are."""
        params = self._params
        usual, said = RuleDetails(), asdict(params.details)
        other = {name: value for name, value in said.items() if value != getattr(usual, name)}
        if params.eta is not None:
            other["eta"] = params.eta
        if params.seed_offset:
            other["ensd"] = params.seed_offset
        if params.threads:
            other["threads"] = params.threads
        return other

    # --- Prompts ----------------------------------------------------------------------------------

    def _prompt(self, id: str, text: str, clip: Link, title: str = "") -> Link:
        params = self._params
        values: dict[str, Any] = {"text": text, "dialect": params.dialect}
        if params.clip_skip:
            values["clip_skip"] = params.clip_skip
        self._add(id, "core.encode_prompt", 1, values, title, clip=clip)
        if params.dialect == "a1111":
            for what, pattern in _BY_STEPS.items():
                if pattern.search(text):
                    self._tell(id, f"{what} is read as plain text, and the same at every step")
        link = Link(id, "conditioning")
        if params.guidance is not None and not id.endswith("negative"):
            told = f"{id}_guidance"
            values = {"guidance": params.guidance}
            self._add(told, "core.set_guidance", 1, values, conditioning=link)
            return Link(told, "conditioning")
        return link

    # --- Latents ----------------------------------------------------------------------------------

    def _start(self, vae: Link) -> tuple[int, Link, _Run]:
        """The latent that the first pass begins with, its steps, and the column for it."""
        params = self._params
        if params.source is not None:
            return *self._picture(params.source, vae), _run_over(params)
        batch = params.batch if params.rules == "comfyui" else 1
        values = {"width": params.width, "height": params.height, "batch": batch}
        self._add("latent", "core.empty_latent", 0, values)
        return 2, Link("latent", "latent"), _Run(params.steps, params.steps, 1.0)

    def _picture(self, source: Source, vae: Link) -> tuple[int, Link]:
        """A picture as a latent, under its mask where it has one, and the column after it."""
        params = self._params
        self._add("picture", "core.load_image", 0, {"file": source.file})
        if not source.file:
            self._tell("picture", "the picture that it was made from is not named: choose it")
        size: dict[str, Any] = {"width": params.width, "height": params.height}
        size["crop"] = "center" if source.crop else "disabled"
        self._add("fit", "core.scale_image", 1, size, image=Link("picture", "image"))
        self._add("encode", "core.encode_image", 2, {}, vae=vae, image=Link("fit", "image"))
        latent = Link("encode", "latent")
        if not source.masked:
            return 3, latent
        self._add("mask", "core.load_mask", 0, {"file": source.mask, "channel": "brightness"})
        if not source.mask:
            self._tell("mask", "the mask is not named: choose it, white where it was repainted")
        mask = Link("mask", "mask")
        scaled = {"width": params.width, "height": params.height}
        self._add("fit_mask", "core.scale_mask", 1, scaled, mask=mask)
        mask, column = Link("fit_mask", "mask"), 2
        if source.inverted:
            self._add("invert", "core.invert_mask", column, {}, mask=mask)
            mask, column = Link("invert", "mask"), column + 1
        if source.mask_blur:
            blur = min(source.mask_blur, _MOST_BLUR)
            radius = max(int(2.5 * blur + 0.5), 1)
            values = {"radius": radius, "sigma": round(blur / radius, 4)}
            self._add("soften", "core.blur_mask", column, values, mask=mask)
            mask, column = Link("soften", "mask"), column + 1
        column = max(column, 3)
        self._add("under_mask", "core.mask_latent", column, {}, latent=latent, mask=mask)
        return column + 1, Link("under_mask", "latent")

    def _decoded(self, id: str, column: int, vae: Link, latent: Link) -> Link:
        self._add(id, "core.decode_latent", column, {}, vae=vae, latent=latent)
        return Link(id, "image")

    # --- Passes -----------------------------------------------------------------------------------

    def _sampled(
        self,
        id: str,
        column: int,
        parts: _Parts,
        prompts: tuple[Link, Link],
        latent: Link,
        run: _Run,
        second: SecondPass | None = None,
        *,
        refined: bool,
    ) -> tuple[int, Link]:
        """What it gives, and the column after it."""
        params = self._params
        values: dict[str, Any] = {
            "seed": params.seed if second is None or second.seed is None else second.seed,
            "cfg": params.cfg if second is None or second.cfg is None else second.cfg,
            "sampler": (second and second.sampler) or params.sampler,
            "scheduler": (second and second.scheduler) or params.scheduler,
        }
        if params.rescale:
            values["rescale"] = params.rescale
        if params.noise != "cpu":
            values["noise"] = params.noise
        links = {"positive": prompts[0], "negative": prompts[1], "latent": latent}
        model = self._by_rules(id, column, parts.model, run)
        if model != parts.model:
            column += 1
        if params.refiner is not None and refined:
            return self._refined(id, column, model, links, values, run, params.refiner)
        if self._in_parts():
            return self._by_parts(id, column, model, links, values, run)
        values |= {"steps": run.told, "denoise": run.denoise}
        if params.rules == "a1111":
            values["rules"] = "a1111_hires" if run.all_steps and run.denoise < 1 else "a1111"
        self._add(id, "core.sample", column, values, model=model, **links)
        return column + 1, Link(id, "latent")

    def _in_parts(self) -> bool:
        """Whether there is to be said what the sampler alone cannot: noise of two seeds or sizes,
        or of a certain card, how much of it is drawn between steps."""
        params = self._params
        by_rules = params.rules == "a1111"
        return bool(
            params.variation
            or any(params.resize_from)
            or params.s_noise is not None
            or ((params.eta is not None or params.threads) and not by_rules)
        )

    def _by_parts(
        self,
        id: str,
        column: int,
        model: Link,
        links: Mapping[str, Link],
        values: Mapping[str, Any],
        run: _Run,
    ) -> tuple[int, Link]:
        """The same of the nodes for parts of a run."""
        params = self._params
        noise: dict[str, Any] = {"seed": values["seed"]}
        if params.variation:
            noise |= {"variation": params.variation, "variation_seed": params.variation_seed}
        if any(params.resize_from):
            noise["from_width"], noise["from_height"] = params.resize_from
        if params.threads:
            noise["threads"] = params.threads
        if "noise" in values:
            noise["source"] = values["noise"]
        guided = {name: values[name] for name in ("cfg", "rescale") if name in values}
        chosen: dict[str, Any] = {"sampler": values["sampler"]}
        if params.eta is not None and params.rules != "a1111":
            chosen["eta"] = params.eta
        if params.s_noise is not None:
            chosen["s_noise"] = params.s_noise
        levels = {"steps": run.told, "denoise": run.denoise}
        levels |= {name: values[name] for name in ("scheduler", "sampler")}
        self._add(f"{id}_noise", "core.random_noise", column, noise)
        self._add(
            f"{id}_guider",
            "core.guide",
            column,
            guided,
            model=model,
            positive=links["positive"],
            negative=links["negative"],
        )
        self._add(f"{id}_choice", "core.choose_sampler", column, chosen)
        self._add(f"{id}_sigmas", "core.make_sigmas", column, levels, model=model)
        self._add(
            id,
            "core.sample_custom",
            column + 1,
            {},
            noise=Link(f"{id}_noise", "noise"),
            guider=Link(f"{id}_guider", "guider"),
            sampler=Link(f"{id}_choice", "sampler"),
            sigmas=Link(f"{id}_sigmas", "sigmas"),
            latent=links["latent"],
        )
        return column + 2, Link(id, "latent")

    def _refined(
        self,
        id: str,
        column: int,
        model: Link,
        links: Mapping[str, Link],
        values: Mapping[str, Any],
        run: _Run,
        refiner: Refiner,
    ) -> tuple[int, Link]:
        """The steps of two models, one after the other."""
        params, sampler = self._params, values["sampler"]
        if self._in_parts():
            said = "noise of two seeds, of another size or of a certain card, eta and sigma noise"
            self._tell(id, f"{said} are left out where a refiner takes over")
        if sampler in DRAWN or "sde" in sampler:
            self._tell(
                id, f"noise between the steps of {sampler} begins anew with the refiner here"
            )
        begin = run.total - run.steps
        switch = begin + math.ceil(refiner.switch_at * run.steps)
        common = {**values, "steps": run.total}
        if params.rules == "a1111":
            common["rules"] = "a1111"
        early = {**common, "start": begin, "end": switch, "leftover": True}
        self._add(id, "core.sample_steps", column, early, model=model, **links)
        other = self._model("refiner", refiner.model, "Refiner")
        late = {**common, "start": switch, "add_noise": False}
        prompts = {
            "positive": self._prompt("refiner_positive", params.prompt, other.clip),
            "negative": self._prompt(
                "refiner_negative", params.negative, other.clip, "Negative prompt"
            ),
        }
        self._add(
            f"{id}_refined",
            "core.sample_steps",
            column + 1,
            late,
            model=other.model,
            latent=Link(id, "latent"),
            **prompts,
        )
        return column + 2, Link(f"{id}_refined", "latent")

    def _second_pass(
        self, hires: SecondPass, parts: _Parts, vae: Link, latent: Link, column: int
    ) -> tuple[int, Link, Link]:
        """What the second pass gives, with the column after it and the VAE that decodes it."""
        params = self._params
        width, height = hires.size(params.width, params.height)
        # Where both sides are said, what is too much at two sides is cut off.
        crop = "center" if hires.width and hires.height else "disabled"
        size = {"width": width, "height": height, "crop": crop}
        if hires.space == "latent":
            scaled = {**size, "method": hires.method}
            self._add("enlarge", "core.scale_latent", column, scaled, latent=latent)
            latent = Link("enlarge", "latent")
        else:
            image = self._decoded("first_decode", column, vae, latent)
            if hires.upscaler:
                file = self._file("upscale_models", hires.upscaler, "upscaler")
                self._add("upscaler", "core.load_upscaler", column, {"file": file})
                column += 1
                upscaler = Link("upscaler", "upscaler")
                self._add(
                    "upscale", "core.upscale_image", column, {}, upscaler=upscaler, image=image
                )
                image = Link("upscale", "image")
            scaled = {**size, "method": hires.method}
            self._add("enlarge", "core.scale_image", column + 1, scaled, image=image)
            image, column = Link("enlarge", "image"), column + 2
            self._add("hires_encode", "core.encode_image", column, {}, vae=vae, image=image)
            latent = Link("hires_encode", "latent")
        if hires.model:
            base = self._model("hires_checkpoint", hires.model, "Second pass")
            parts = self._patched(base, "hires_")
            vae = vae if params.vae else base.vae
        prompts = self._second_prompts(hires, parts.clip)
        steps = hires.steps or params.steps
        denoise = min(max(hires.denoise, 0.0), 1.0)
        run = _Run(steps, int(steps / max(denoise, _LEAST)), denoise)
        column, latent = self._sampled(
            "second_pass", column + 1, parts, prompts, latent, run, hires, refined=True
        )
        return column, latent, vae

    def _second_prompts(self, hires: SecondPass, clip: Link) -> tuple[Link, Link]:
        """Those of the first pass, where the second has neither its own nor another model."""
        params, own = self._params, bool(hires.model)
        first = (("positive", params.prompt, hires.prompt, ""),)
        second = (("negative", params.negative, hires.negative, "Negative prompt"),)
        found = []
        for id, text, other, title in chain(first, second):
            if own or other is not None:
                found.append(
                    self._prompt(f"hires_{id}", text if other is None else other, clip, title)
                )
            elif id == "positive" and params.guidance is not None:
                found.append(Link("positive_guidance", "conditioning"))
            else:
                found.append(Link(id, "conditioning"))
        return found[0], found[1]

    # --- The board --------------------------------------------------------------------------------

    def _tell(self, node: str, text: str) -> None:
        self._remarks.append(Remark(node, text))

    def _add(
        self,
        id: str,
        type: str,
        column: int,
        values: Mapping[str, Any],
        title: str = "",
        /,
        **links: Link,
    ) -> None:
        """A node below those that stand in its column, or right of what feeds it."""
        self._columns[id] = column = max(
            [column, *(self._columns[link.source] + 1 for link in links.values())]
        )
        node = Node(id, type, 1, dict(values), links, title=title)
        self._nodes[id] = node
        top = self._bottoms.get(column, 0)
        self._places[id] = {"pos": [column * _COLUMN, top]}
        _, height = card_size(node, shipped_catalog().get(type), {})
        self._bottoms[column] = top + math.ceil(height / _GRID) * _GRID + _GAP


# What A1111 does by steps, or with several prompts.
_BY_STEPS: Mapping[str, re.Pattern[str]] = {
    "[from:to:when]": re.compile(r":\s*+[\d.]++\s*+(?<!\\)\]"),
    "[a|b]": re.compile(r"(?<!\\)\[[^\[\]|]*+\|[^\[\]]*+\]"),
    "AND": re.compile(r"\bAND\b"),
}


def _run_over(params: GenerationParams) -> _Run:
    """The steps over a picture."""
    source, steps = params.source or Source(), max(params.steps, 1)
    denoise = min(max(source.denoise, 0.0), 1.0)
    if source.counted == "done":
        return _Run(steps, int(steps / max(denoise, _LEAST)), denoise)
    # One more than the share says.
    done = min(int(min(denoise, 0.999) * steps) + 1, steps)
    if params.rules == "a1111":
        return _Run(done, steps, denoise, all_steps=False)
    # A little less, so that `done` steps of that share are of `steps` again, whatever is rounded.
    share = done / steps
    return _Run(done, steps, share if done == steps else math.floor(share * 1e6 - 0.5) / 1e6)
