"""The fonts of the document, embedded, so that it looks the same everywhere; and text made fit for them.

They are reportlab's own Bitstream Vera, which has Latin letters alone. What it lacks is spelt out: a box says nothing.
"""

from functools import cache
from xml.sax.saxutils import escape

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

from manyheads_client.words import printable

PLAIN, BOLD = "ManyheadsPlain", "ManyheadsBold"  # names of ours: an application around us may have its own Vera
_FILES = {PLAIN: "Vera.ttf", BOLD: "VeraBd.ttf"}


@cache
def register_fonts() -> frozenset[str]:
    """Make the fonts known to reportlab, once; return the characters they have."""
    fonts = [TTFont(name, file) for name, file in _FILES.items()]
    for font in fonts:
        pdfmetrics.registerFont(font)
    pdfmetrics.registerFontFamily(PLAIN, normal=PLAIN, bold=BOLD, italic=PLAIN, boldItalic=BOLD)
    return frozenset.intersection(*(frozenset(map(chr, font.face.charToGlyph)) for font in fonts))


def spell(text: str) -> str:
    """Text that the fonts can write: each character they lack is spelt out, as `words.printable` does."""
    known = register_fonts()
    return "".join(c if c in known else c.encode("unicode_escape").decode("ascii") for c in printable(text))


def markup(text: str) -> str:
    """The same for a paragraph, in which nothing of the text is taken for a tag."""
    return escape(spell(text))
