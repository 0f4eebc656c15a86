"""Search in lists of names."""

from ponystudio.canvas.fields.list_popup import matching

NAMES = ["euler", "euler_ancestral", "dpm_2", "dpmpp_2m", "dpmpp_2m_sde", "styles/dpm-like"]


def test_the_best_comes_first():
    assert matching("dpm", NAMES, str) == ["dpm_2", "dpmpp_2m", "dpmpp_2m_sde", "styles/dpm-like"]
    assert matching("sde", NAMES, str) == ["dpmpp_2m_sde"]
    assert matching("2m dpm", NAMES, str) == ["dpmpp_2m", "dpmpp_2m_sde"]
    assert matching("sdl", NAMES, str) == ["styles/dpm-like"]
    assert matching("eua", NAMES, str) == ["euler_ancestral"]
    assert matching("", NAMES, str) == NAMES
    assert matching("zzz", NAMES, str) == []
