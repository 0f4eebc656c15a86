"""Writes checkpoints of the SD1 architecture with random but numerically sane weights, and LoRAs.

    make_checkpoint.py full  OUT    as large as SD 1.5: UNet 859.5M, CLIP-L 123M, VAE 83.7M
    make_checkpoint.py tiny  OUT    one level, text encoder and autoencoder of full width
    make_checkpoint.py micro OUT    the names of `full`, narrow everywhere, for unit tests
    make_checkpoint.py lora  OUT    a kohya LoRA for `full`

Layout: LDM single file, fp16 safetensors. Everything follows from the seed: the bytes are known.

Weights are N(0, gain²/fan_in), norms 1 and 0, outputs of residual branches have a small gain. The
UNet also has an exact linear path x → conv_in → last skip → out, through silu(a) − silu(−a) = a, so
that it predicts ε ≈ α·normalised(x) + β·random(x, t, context): sampling then contracts to latents
of order 1 instead of drifting, and comparisons are well conditioned.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Collection, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

SEED = 20250101
RANK = 8
RESIDUAL = 0.35  # gain of the outputs of residual branches
KINDS = ("full", "tiny", "micro", "lora")


class Writer:
    """Draws tensors one after the other from one generator: their order is part of the result."""

    def __init__(self, seed: int = SEED, dtype: torch.dtype = torch.float16) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.generator = torch.Generator().manual_seed(seed)
        self.dtype = dtype

    def normal(self, name: str, *shape: int, std: float = 1.0, mean: float = 0.0) -> None:
        values = torch.randn(*shape, generator=self.generator) * std
        self.tensors[name] = (values + mean if mean else values).to(self.dtype)

    def bias(self, name: str, n: int) -> None:
        self.normal(name, n, std=0.02)

    def norm(self, name: str, n: int) -> None:
        self.normal(name + ".weight", n, std=0.05, mean=1.0)
        self.bias(name + ".bias", n)

    def linear(self, name: str, o: int, i: int, gain: float = 1.0, bias: bool = True) -> None:
        self.normal(name + ".weight", o, i, std=gain / math.sqrt(i))
        if bias:
            self.bias(name + ".bias", o)

    def conv(self, name: str, o: int, i: int, k: int, gain: float = 1.0) -> None:
        self.normal(name + ".weight", o, i, k, k, std=gain / math.sqrt(i * k * k))
        self.bias(name + ".bias", o)

    # The UNet

    def resblock(self, p: str, cin: int, cout: int, emb: int) -> None:
        self.norm(p + ".in_layers.0", cin)
        self.conv(p + ".in_layers.2", cout, cin, 3, 1.3)
        self.linear(p + ".emb_layers.1", cout, emb, 0.7)
        self.norm(p + ".out_layers.0", cout)
        self.conv(p + ".out_layers.3", cout, cout, 3, RESIDUAL * 1.5)
        if cin != cout:
            self.conv(p + ".skip_connection", cout, cin, 1)

    def transformer(self, p: str, ch: int, context: int) -> None:
        self.norm(p + ".norm", ch)
        self.conv(p + ".proj_in", ch, ch, 1)
        block = f"{p}.transformer_blocks.0"
        for attention, kv in (("attn1", ch), ("attn2", context)):
            self.linear(f"{block}.{attention}.to_q", ch, ch, 1.5, bias=False)
            self.linear(f"{block}.{attention}.to_k", ch, kv, 1.5, bias=False)
            self.linear(f"{block}.{attention}.to_v", ch, kv, bias=False)
            self.linear(f"{block}.{attention}.to_out.0", ch, ch, 0.7)
        self.linear(f"{block}.ff.net.0.proj", ch * 8, ch)
        self.linear(f"{block}.ff.net.2", ch, ch * 4, 0.7)
        for n in (1, 2, 3):
            self.norm(f"{block}.norm{n}", ch)
        self.conv(p + ".proj_out", ch, ch, 1, RESIDUAL)

    def unet(
        self, width: int, mult: Sequence[int], blocks: int, attention: Collection[int], context: int
    ) -> None:
        p, emb, ch, n = "model.diffusion_model.", width * 4, width, 1
        self.linear(p + "time_embed.0", emb, width)
        self.linear(p + "time_embed.2", emb, emb)
        self.conv(p + "input_blocks.0.0", width, 4, 3)
        skips = [width]
        for level, m in enumerate(mult):
            for _ in range(blocks):
                self.resblock(f"{p}input_blocks.{n}.0", ch, width * m, emb)
                ch = width * m
                if level in attention:
                    self.transformer(f"{p}input_blocks.{n}.1", ch, context)
                skips.append(ch)
                n += 1
            if level != len(mult) - 1:
                self.conv(f"{p}input_blocks.{n}.0.op", ch, ch, 3)
                skips.append(ch)
                n += 1
        self.resblock(p + "middle_block.0", ch, ch, emb)
        self.transformer(p + "middle_block.1", ch, context)
        self.resblock(p + "middle_block.2", ch, ch, emb)
        n = prev = 0
        for level in reversed(range(len(mult))):
            for i in range(blocks + 1):
                prev, cout = ch, width * mult[level]
                self.resblock(f"{p}output_blocks.{n}.0", ch + skips.pop(), cout, emb)
                ch, k = cout, 1
                if level in attention:
                    self.transformer(f"{p}output_blocks.{n}.1", ch, context)
                    k = 2
                if level and i == blocks:
                    self.conv(f"{p}output_blocks.{n}.{k}.conv", ch, ch, 3)
                n += 1
        self.norm(p + "out.0", ch)
        self.conv(p + "out.2", 4, ch, 3, 0.35 * 1.7)
        self.linear_path(p, f"{p}output_blocks.{n - 1}.0", ch, prev)

    def linear_path(self, p: str, last: str, ch: int, prev: int, alpha: float = 0.9) -> None:
        """Group 2c+s of the output norm (of 32) carries ±x_c on its first channel."""
        t = self.tensors
        for c in range(4):
            for s, sign in ((0, 1.0), (1, -1.0)):
                o = (2 * c + s) * (ch // 32)
                t[p + "input_blocks.0.0.weight"][o] = 0
                t[p + "input_blocks.0.0.weight"][o, c, 1, 1] = sign
                t[p + "input_blocks.0.0.bias"][o] = 0
                t[last + ".skip_connection.weight"][o] = 0
                t[last + ".skip_connection.weight"][o, prev + o] = 1.0
                t[last + ".skip_connection.bias"][o] = 0
                t[last + ".out_layers.3.weight"][o] *= 0.1
                t[p + "out.2.weight"][:, o] *= 0.3
                t[p + "out.2.weight"][c, o, 1, 1] = sign * alpha

    # The autoencoder

    def vae_block(self, p: str, i: int, o: int) -> None:
        self.norm(p + ".norm1", i)
        self.conv(p + ".conv1", o, i, 3, 1.3)
        self.norm(p + ".norm2", o)
        self.conv(p + ".conv2", o, o, 3, RESIDUAL * 1.5)
        if i != o:
            self.conv(p + ".nin_shortcut", o, i, 1)

    def vae_middle(self, p: str, c: int) -> None:
        self.vae_block(p + "mid.block_1", c, c)
        self.norm(p + "mid.attn_1.norm", c)
        for name, gain in (("q", 1.0), ("k", 1.0), ("v", 1.0), ("proj_out", RESIDUAL)):
            self.conv(f"{p}mid.attn_1.{name}", c, c, 1, gain)
        self.vae_block(p + "mid.block_2", c, c)

    def vae(self, channels: Sequence[int], blocks: int = 2, z: int = 4) -> None:
        p, c, lowest = "first_stage_model.", channels[0], len(channels) - 1
        e, d = p + "encoder.", p + "decoder."
        self.conv(e + "conv_in", c, 3, 3)
        for level, o in enumerate(channels):
            for i in range(blocks):
                self.vae_block(f"{e}down.{level}.block.{i}", c, o)
                c = o
            if level != lowest:
                self.conv(f"{e}down.{level}.downsample.conv", c, c, 3)
        self.vae_middle(e, c)
        self.norm(e + "norm_out", c)
        self.conv(e + "conv_out", 2 * z, c, 3, 1.5)
        self.conv(d + "conv_in", c, z, 3)
        self.vae_middle(d, c)
        for level in reversed(range(len(channels))):
            for i in range(blocks + 1):
                self.vae_block(f"{d}up.{level}.block.{i}", c, channels[level])
                c = channels[level]
            if level:
                self.conv(f"{d}up.{level}.upsample.conv", c, c, 3)
        self.norm(d + "norm_out", c)
        self.conv(d + "conv_out", 3, c, 3, 0.6)
        self.conv(p + "quant_conv", 2 * z, 2 * z, 1)
        self.conv(p + "post_quant_conv", z, z, 1)
        weight = self.tensors[p + "quant_conv.weight"]
        weight[:z, :, 0, 0] *= 3.0
        weight[z:, :, 0, 0] *= 0.1
        # So low a log-variance makes a posterior sample its mean.
        self.tensors[p + "quant_conv.bias"][z:] = -20.0

    # The text encoder

    def clip(self, width: int, layers: int, inner: int) -> None:
        p = "cond_stage_model.transformer.text_model."
        self.normal(p + "embeddings.token_embedding.weight", 49408, width, std=0.02)
        self.normal(p + "embeddings.position_embedding.weight", 77, width, std=0.01)
        self.tensors[p + "embeddings.position_ids"] = torch.arange(77, dtype=torch.int64)[None]
        for i in range(layers):
            layer = f"{p}encoder.layers.{i}."
            for name, gain in (("q", 1.5), ("k", 1.5), ("v", 1.0), ("out", 0.05)):
                self.linear(f"{layer}self_attn.{name}_proj", width, width, gain)
            self.norm(layer + "layer_norm1", width)
            self.norm(layer + "layer_norm2", width)
            self.linear(layer + "mlp.fc1", inner, width)
            self.linear(layer + "mlp.fc2", width, inner, 0.05)
        self.norm(p + "final_layer_norm", width)

    # A LoRA in kohya's names

    def pair(self, p: str, o: int, i: int, rank: int, conv: bool = False) -> None:
        kernel = (1, 1) if conv else ()
        down = torch.randn(rank, i, *kernel, generator=self.generator) / math.sqrt(i)
        up = torch.randn(o, rank, *kernel, generator=self.generator) * 0.25 / math.sqrt(rank)
        self.tensors[p + ".lora_down.weight"] = down.to(self.dtype)
        self.tensors[p + ".lora_up.weight"] = up.to(self.dtype)
        self.tensors[p + ".alpha"] = torch.tensor(rank / 2, dtype=self.dtype)

    def transformer_pairs(self, p: str, c: int, context: int, rank: int) -> None:
        self.pair(p + "_proj_in", c, c, rank, conv=True)
        self.pair(p + "_proj_out", c, c, rank, conv=True)
        block = p + "_transformer_blocks_0"
        for attention, kv in (("attn1", c), ("attn2", context)):
            for name, i in (("to_q", c), ("to_k", kv), ("to_v", kv), ("to_out_0", c)):
                self.pair(f"{block}_{attention}_{name}", c, i, rank)
        self.pair(block + "_ff_net_0_proj", c * 8, c, rank)
        self.pair(block + "_ff_net_2", c, c * 4, rank)

    def lora(self, width: int, text: int, layers: int, inner: int, rank: int) -> None:
        """For a UNet of the topology of SD1 whose first level is `width` wide."""
        widths = [width, 2 * width, 4 * width]
        for level, c in enumerate(widths):
            for j in range(2):
                self.transformer_pairs(
                    f"lora_unet_down_blocks_{level}_attentions_{j}", c, text, rank
                )
        self.transformer_pairs("lora_unet_mid_block_attentions_0", widths[-1], text, rank)
        for level, c in zip((1, 2, 3), reversed(widths), strict=True):
            for j in range(3):
                self.transformer_pairs(f"lora_unet_up_blocks_{level}_attentions_{j}", c, text, rank)
        for i in range(layers):
            p = f"lora_te_text_model_encoder_layers_{i}_"
            for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
                self.pair(p + "self_attn_" + name, text, text, rank)
            self.pair(p + "mlp_fc1", inner, text, rank)
            self.pair(p + "mlp_fc2", text, inner, rank)


def tensors(kind: str, seed: int = SEED, rank: int = RANK) -> dict[str, Tensor]:
    """The tensors of one kind of file; "lora micro" is a LoRA for `micro`."""
    writer = Writer(seed)
    if kind == "full":
        writer.unet(320, [1, 2, 4, 4], 2, {0, 1, 2}, 768)
        writer.vae([128, 256, 512, 512])
        writer.clip(768, 12, 3072)
    elif kind == "tiny":
        writer.unet(320, [1], 1, {0}, 768)
        writer.vae([128, 256, 512, 512])
        writer.clip(768, 12, 3072)
    elif kind == "micro":
        writer.unet(32, [1, 2, 4, 4], 2, {0, 1, 2}, 64)
        writer.vae([32, 32, 64, 64])
        writer.clip(64, 2, 256)
    elif kind == "lora":
        writer.lora(320, 768, 12, 3072, rank)
    elif kind == "lora micro":
        writer.lora(32, 64, 2, 256, rank)
    else:
        raise ValueError(f"no such kind: {kind}")
    return writer.tensors


def metadata(kind: str, seed: int = SEED, rank: int = RANK) -> dict[str, str]:
    note = f"random weights, make_checkpoint.py {kind} seed={seed}"
    values = {"format": "pt", "pony.note": note}
    if kind.startswith("lora"):
        values["ss_network_module"] = "networks.lora"
        values["ss_network_dim"] = str(rank)
        values["ss_network_alpha"] = str(rank / 2)
        values["ss_base_model_version"] = "sd_v1"
    return values


def write_checkpoint(kind: str, path: Path, seed: int = SEED, rank: int = RANK) -> Path:
    save_file(tensors(kind, seed, rank), path, metadata=metadata(kind, seed, rank))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a seeded random checkpoint or LoRA.")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--rank", type=int, default=RANK)
    arguments = parser.parse_args()
    print(write_checkpoint(arguments.kind, arguments.out, arguments.seed, arguments.rank))


if __name__ == "__main__":
    main()
