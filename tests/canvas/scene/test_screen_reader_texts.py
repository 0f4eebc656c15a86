"""The graph in words."""

from ponystudio.canvas.scene.items import FocusRef


def test_the_focus_is_said_in_words(canvas):
    for focus, words in (
        (FocusRef("output", "checkpoint", "clip"), "Output clip of Load checkpoint, CLIP, 2 wires"),
        (FocusRef("input", "decode", "vae"), "Input vae of Decode, VAE, from Load checkpoint"),
        (FocusRef("param", "sampler", "steps"), "steps, 20, Sample"),
        (FocusRef("wire", wire=("save", "image")), "Wire from Decode, image, to Save image, image"),
    ):
        canvas.commands.keyboard.set(focus)
        assert canvas.view.accessibleDescription() == words
