"""The packages that the pictures and their names come from, fetched with npm, pinned by digest."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import tarfile
from pathlib import Path

# package, version → SHA-512 of the archive, as in the registry's `integrity`.
PACKAGES = {
    ("@lobehub/fluent-emoji-3d", "1.1.0"): (
        "Wlq2lVStTnr8BDpIJ0pEnTKO4LuDxxqTEhTvRtD1DLRF0me7ogeRQjKoehDHXuVJ2Qaecgl5wRBv60lUAG3h7g=="
    ),
    ("@iconify-json/fluent-emoji-flat", "1.2.6"): (
        "RY47RgPb47fYUiyrA64sIOL0+UU02s29sXpNBbIQRBUlPlfNFTKUmZDERGuxDs/7yNGWqQYvuaSYM1M4fRXlUw=="
    ),
    ("@iconify-json/fluent-emoji", "1.2.7"): (
        "D8G6bKAyIsyxP1rzZtIWr/gg/fO4Rg1+DyCWlfqKK4h8W+4Em/Y0P6QYgJUQTlUcagzJvSyg+9OBv4hz4Hc/QA=="
    ),
    ("@iconify-json/fluent-emoji-high-contrast", "1.2.6"): (
        "esqhZPpkrF7sNX3NsLoh8KW64okEr/bzko7WNnFP+qTJGAqDPDYjp0925yxuivXy3HtVQB8xhIKu3+Nq1byX5w=="
    ),
    ("@iconify-json/noto", "1.2.9"): (
        "DQiuXENbun41ch+XPSV55H9FaWKpHTyz46YIKtSaKYD4fIDDzL1tR6H4np/T38jfrTAeI3rcKF0mqHYeZVAuaw=="
    ),
    ("emojilib", "4.0.3"): (
        "KbWiYre9aRSaPbHrHZIz9zmoM+21LAsK1VFJtnTh1VCtWE/rNMDviGhQTmselFl95dhqtGlY22iH0leG5BuW0g=="
    ),
    ("emojibase-data", "17.0.0"): (
        "Yvgb5AWoHViHV/gq1qr5ZAarcBip+B27/ZLRsUJkbgAEaLlZ/fof9g882LTpmEpyhBNEC0m2SEmItljHsTygjA=="
    ),
}


def fetch(folder: Path) -> dict[str, Path]:
    """Where each package lies unpacked, by its name; those not there yet are fetched."""
    folder.mkdir(parents=True, exist_ok=True)
    return {name: _fetch(folder, name, version) for name, version in PACKAGES}


def _fetch(folder: Path, name: str, version: str) -> Path:
    flat = f"{name.removeprefix('@').replace('/', '-')}-{version}"
    unpacked, archive = folder / flat, folder / f"{flat}.tgz"
    if unpacked.is_dir():
        return unpacked
    if not archive.exists():
        subprocess.run(["npm", "pack", "--silent", f"{name}@{version}"], cwd=folder, check=True)
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != PACKAGES[name, version]:
        raise ValueError(f"{archive} is not what this recipe was made with")
    part = folder / f"{flat}.part"
    with tarfile.open(archive) as packed:
        packed.extractall(part, filter="data")
    (part / "package").rename(unpacked)
    part.rmdir()
    return unpacked
