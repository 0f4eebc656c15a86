"""What may be typed into a number."""

import pytest

from ponystudio.canvas.fields.number import evaluate


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("512", 512),
        (" 512 * 1.5 ", 768),
        ("0,75", 0.75),
        ("(3+1)/2", 2),
        ("-4", -4),
        ("=2+2", 4),
        ("2^10", 1024),
        ("2**64-1", 2**64 - 1),
        ("18446744073709551615", 18446744073709551615),
        ("7//2", 3),
        ("1e3", 1000),
        ("4×", 4),
        ("2×3", 6),
        ("*2", 20),
        ("/4", 2.5),
        ("+=8", 18),
        ("-=8", 2),
        ("-8", -8),
    ],
)
def test_arithmetic(text, value):
    assert evaluate(text, 10) == value


@pytest.mark.parametrize(
    "text",
    ["", "abc", "1/0", "__import__('os')", "a.b", "9**9**9**9", "True", "[1]", "1,000,000x",
     "1e999", "(" * 500, "1" * 300, "(-1)**0.5", "2**5000", "lambda: 1", "'a'*9"],
)  # fmt: skip
def test_what_is_no_number(text):
    with pytest.raises(ValueError):  # noqa: PT011 - its text is the person's own
        evaluate(text)
