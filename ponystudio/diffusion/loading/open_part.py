"""A model file or a diffusers folder, opened for one of its parts. Torch-free."""

from __future__ import annotations

from ponystudio.diffusion.loading.model_parts import Hints, ModelPart
from ponystudio.errors import WrongKind
from ponystudio.library.formats.diffusers_folder import open_folder
from ponystudio.library.formats.weights_file import WeightsFile, joined, open_weights
from ponystudio.library.recognition.recognise import ModelFile


def opened(info: ModelFile, how: ModelPart) -> tuple[WeightsFile, dict[str, Hints]]:
    """The file that holds a part, and what is said about its components beside the tensors.

    The components of a folder are one file, each under its name. Raises WrongKind for a folder
    without any, and what `open_weights` and `open_folder` raise.
    """
    path, said = info.path, {name: info.config.get(name) for name in how.components}
    hints: dict[str, Hints] = {
        name: value if isinstance(value, dict) else {} for name, value in said.items()
    }
    if not path.is_dir():
        return open_weights(path), hints
    folder = open_folder(path, how.components)
    if "" in folder.components:  # a folder of one component alone
        hints = {name: {**folder.configs[""], **hints[name]} for name in hints}
        return folder.components[""], hints
    present = [name for name in how.components if name in folder.components]
    hints |= {name: {**folder.configs[name], **hints[name]} for name in present}
    if len(present) == 1:
        return folder.components[present[0]], hints
    if present:
        return joined(path, [(f"{name}.", folder.components[name]) for name in present]), hints
    folder.close()
    raise WrongKind(f"There is no {how.noun} in this folder.", remedy=how.elsewhere)
