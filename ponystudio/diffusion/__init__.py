"""The model library: networks, text encoding, sampling, LoRA, upscaling. Knows no graph.

May import `library` and `errors`; importing the package itself loads no torch. Start at
`loading/load.py` for how a model comes to be, at `sampling/run.py` for how a picture does. Rooms,
each knowing only those before it: `families`; `weights` and `noise`; `sampling` and
`architectures`; `lora`; `text`; `images`; `loading`.
"""
