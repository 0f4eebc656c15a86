"""What workflows say of the model files that they name."""

from __future__ import annotations

from typing import Any

from ponystudio.graph.comfyui.importer import import_document
from ponystudio.graph.formats import graph_file

PAGE = "https://example.org/resolve/mane.safetensors"


def loader(id: int, value: str, *models: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": id,
        "type": "CheckpointLoaderSimple",
        "widgets_values": [value],
        "properties": {"models": list(models)},
        "outputs": [{"name": name, "type": name} for name in ("MODEL", "CLIP", "VAE")],
    }


def workflow(*nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"nodes": list(nodes), "links": [], "version": 0.4, **more}


def models_of(document: dict[str, Any]) -> dict[str, Any]:
    graph = import_document(document).graph
    assert graph_file.loads(graph_file.dumps(graph)).models == graph.models
    return dict(graph.models)


def test_their_address_and_hash_stay_with_the_file() -> None:
    said = {
        "name": "Mane.safetensors",
        "url": PAGE,
        "hash": "AB" * 32,
        "hash_type": "SHA256",
        "directory": "checkpoints",
    }
    assert models_of(workflow(loader(1, "sub\\mane.safetensors", said))) == {
        "sub/mane.safetensors": {"kind": "checkpoints", "sha256": "ab" * 32, "url": PAGE}
    }


def test_a_list_for_the_whole_graph_is_read_and_a_file_of_another_kind_left() -> None:
    rows = [
        {"name": "m.safetensors", "url": "https://example.org/lora", "directory": "loras"},
        {"name": "m.safetensors", "url": PAGE, "directory": "checkpoints"},
        {"name": "n.safetensors", "url": PAGE},
    ]
    assert models_of(workflow(loader(1, "m.safetensors"), models=rows)) == {
        "m.safetensors": {"kind": "checkpoints", "url": PAGE}
    }


def test_what_is_no_address_of_the_web_and_no_hash_is_left_out() -> None:
    for url in ("file:///etc/passwd", "javascript:alert(1)", "https://", 7, "https://a\nb", None):
        said = {"name": "m.safetensors", "url": url, "hash": "not one", "hash_type": "SHA256"}
        assert models_of(workflow(loader(1, "m.safetensors", said))) == {}
