from ponystudio.api import Annotated, Image, Range, node


@node("mypack.darken", group="Image", exact=True)
def darken(image: Image, *, by: Annotated[float, Range(0, 1)] = 0.5) -> Image:
    """Make a picture darker."""
    return Image(image.pixels * (1 - by))
