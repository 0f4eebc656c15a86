"""The text encoder: it first learns to say what a caption means, and then stays as it is.

Cross-attention begins by looking at all 77 places alike, some 70 of which are padding. So every
place from the END on learns to tell concept, style and background through one linear layer: the
denoiser then sees from its first step on what amounts to a class embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import CLIPTextConfig, CLIPTextModel

from starter.captions import caption, framed, length
from starter.concepts import Concept
from starter.pictures import BACKGROUNDS
from starter.profiles import Profile
from starter.training import Log, rate_at, save

BATCH = 24
RATE = 1.2e-3
PLACES = 77
HEAD = 64  # the width of a head in every CLIP text encoder

# One training picture: which concept, which style, which background.
Label = tuple[int, int, int]


class Encoder(nn.Module):
    """CLIP's text model over the tokens in use alone; `tokens` are their ids, in rising order."""

    def __init__(self, profile: Profile, tokens: Sequence[int]) -> None:
        super().__init__()
        width = profile.text_width
        self.clip = CLIPTextModel(
            CLIPTextConfig(
                hidden_size=width,
                intermediate_size=4 * width,
                num_hidden_layers=profile.text_layers,
                num_attention_heads=width // HEAD,
                vocab_size=len(tokens),
                hidden_act="quick_gelu",
                projection_dim=width,
            )
        )
        self.register_buffer("tokens", torch.tensor(tokens))
        self.register_buffer("mask", torch.full((PLACES, PLACES), -torch.inf).triu(1)[None, None])

    def forward(self, texts: Sequence[str]) -> Tensor:
        """The states [n,77,width] that the app makes of these prompts."""
        ids = torch.tensor([framed(text) for text in texts], device=self.tokens.device)
        rows = torch.searchsorted(self.tokens, ids)
        known = self.tokens[rows.clamp(max=len(self.tokens) - 1)] == ids
        embedded = self.clip.embeddings.token_embedding(rows.clamp(max=len(self.tokens) - 1))
        h = self.clip.embeddings(inputs_embeds=embedded * known[..., None])
        for layer in self.clip.encoder.layers:
            h = layer(h, self.mask)
        return self.clip.final_layer_norm(h)


def train(
    concepts: Sequence[Concept],
    tokens: Sequence[int],
    profile: Profile,
    folder: Path,
    device: str = "cpu",
) -> Encoder:
    """The trained encoder, fp32 and frozen; read from the folder if it is there already."""
    torch.manual_seed(1)
    encoder = Encoder(profile, tokens).to(device)
    final = folder / "text.pt"
    if not final.exists():
        initialise(encoder.clip)
        _train(encoder, concepts, profile, Log(folder / "text.jsonl"))
        save(encoder.clip.state_dict(), final)
    encoder.clip.load_state_dict(torch.load(final, map_location=device))
    return encoder.eval().requires_grad_(False)


def initialise(clip: nn.Module) -> None:
    """Larger than CLIP's own, which is made for far longer training."""
    for name, parameter in clip.named_parameters():
        if "token_embedding" in name:
            nn.init.normal_(parameter, std=0.3)
        elif "position_embedding" in name:
            nn.init.normal_(parameter, std=0.05)
        elif parameter.ndim == 2:
            gain = 0.5 if "out_proj" in name or "fc2" in name else 1.0
            nn.init.normal_(parameter, std=gain * parameter.shape[1] ** -0.5)


def _train(encoder: Encoder, concepts: Sequence[Concept], profile: Profile, log: Log) -> None:
    styles, backgrounds = profile.styles, tuple(BACKGROUNDS)
    device = encoder.tokens.device
    sizes = (len(concepts), len(styles), len(backgrounds), len(concepts) * len(styles))
    heads = nn.ModuleList(nn.Linear(profile.text_width, n) for n in sizes).to(device)
    optimizer = torch.optim.AdamW([*encoder.parameters(), *heads.parameters()], weight_decay=0.01)
    random = Random(7)
    for step in range(profile.text_steps):
        optimizer.param_groups[0]["lr"] = rate_at(step, profile.text_steps, RATE, 50)
        labels = [tuple(random.randrange(n) for n in sizes[:3]) for _ in range(BATCH)]
        texts = [
            caption(concepts[c], styles[s], backgrounds[b], random, simple=random.random() < 0.3)
            for c, s, b in labels
        ]
        states = encoder(texts)
        said = _seen(states, [length(text) for text in texts])
        c, s, b = torch.tensor(labels, device=device).repeat(len(said) // BATCH, 1).T
        guesses = [head(said) for head in heads]
        truths = (c, s, b, c * len(styles) + s)
        loss = sum(cross_entropy(g, t) for g, t in zip(guesses, truths, strict=True))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 50 == 0:
            right = [
                round((g.argmax(1) == t).float().mean().item(), 3)
                for g, t in zip(guesses[:3], truths[:3], strict=True)
            ]
            log.write(step=step + 1, loss=round(loss.item(), 4), right=right)


def _seen(states: Tensor, lengths: Sequence[int]) -> Tensor:
    """The END's state, that of a random place after it, and the mean over all: [3·n,width]."""
    rows, ends = torch.arange(len(states)), torch.tensor(lengths)
    after = ends + (torch.rand(len(states)) * (PLACES - 1 - ends)).long()
    return torch.cat([states[rows, ends], states[rows, after], states.mean(1)])


@torch.no_grad()
def steady(encoder: Encoder, unet: nn.Module, bias: float = 0.1) -> None:
    """Give the contexts a mean of about `bias`; what the denoiser makes of them stays the same.

    A1111's emphasis divides by the mean of the context, which for a fresh layer norm is next to
    zero. The denoiser's attention to a context that is raised everywhere differs by a constant
    in its values alone (softmax does not see the other in its keys): it is taken off their way
    out.
    """
    encoder.clip.final_layer_norm.bias += bias
    for name, module in unet.named_modules():
        if name.endswith(".attn2"):
            raised = module.to_v.weight.sum(1) * bias
            module.to_out[0].bias -= module.to_out[0].weight @ raised
