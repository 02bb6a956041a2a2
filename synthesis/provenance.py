"""Marks images as generated, inside the PNG file, as the IPTC asks.

An XMP packet (ISO 16684-1) in a PNG `iTXt` chunk says `DigitalSourceType =
trainedAlgorithmicMedia` (IPTC, https://cv.iptc.org/newscodes/digitalsourcetype), which
program made the image and from which generator. It travels with the file; anyone can
strip it, so it informs the honest and stops nobody.
"""

import dataclasses
import re
import struct
import zlib
from typing import Iterator, Optional, Tuple

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEYWORD = b"XML:com.adobe.xmp"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:dermgan="https://arxiv.org/abs/1911.08716#"
 Iptc4xmpExt:DigitalSourceType="{source_type}"
 xmp:CreatorTool="DermGAN"
 dermgan:GeneratorDigest="{digest}"
 dermgan:Seed="{seed}"{mixture}/></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""


@dataclasses.dataclass(frozen=True)
class Provenance:
    """What a generated image says of itself.

    Attributes:
      generator_digest: sha256 of the generator, as hex.
      seed: that it was painted with.
      mixture: its noise in words where that is of several seeds, of which `seed` is
        the first: digits, "/", "~", "@" and "." (the studio's notation).
    """

    generator_digest: str
    seed: int
    mixture: str = ""


def _chunks(png: bytes) -> Iterator[Tuple[bytes, bytes]]:
    if not png.startswith(_SIGNATURE):
        raise ValueError("not a PNG file")
    position = len(_SIGNATURE)
    while position + 12 <= len(png):
        length = struct.unpack(">I", png[position : position + 4])[0]
        yield png[position + 4 : position + 8], png[position + 8 : position + 8 + length]
        position += 12 + length


def packet(digest: str, seed: str, mixture: str) -> str:
    """Returns the data of the `iTXt` chunk: its head and what it says, `mixture` an attribute."""
    text = _PACKET.format(source_type=SOURCE_TYPE, digest=digest, seed=seed, mixture=mixture)
    # Keyword; not compressed (two bytes); no language; no translation; the text.
    return _KEYWORD.decode() + "\0\0\0\0\0" + text


def stamp(png: bytes, provenance: Provenance) -> bytes:
    """Adds the mark to a PNG file.

    Args:
      png: a file without one.
      provenance: what to say.

    Returns:
      The file with the mark; pixels are untouched.

    Raises:
      ValueError: not a PNG, a digest that is not one, or a mixture of other letters.
    """
    if not re.fullmatch("[0-9a-f]{64}", provenance.generator_digest):
        raise ValueError(f"generator digest {provenance.generator_digest!r} is not a sha256 in hex")
    if re.search("[^0-9/~@.]", provenance.mixture):
        raise ValueError(f"mixture {provenance.mixture!r} is not made of seeds")
    mixture = f'\n dermgan:Mixture="{provenance.mixture}"' if provenance.mixture else ""
    kind, header = next(_chunks(png))
    data = packet(provenance.generator_digest, str(int(provenance.seed)), mixture).encode("utf-8")
    checksum = zlib.crc32(data, zlib.crc32(b"iTXt"))
    end_of_header = len(_SIGNATURE) + 12 + len(header)
    assert kind == b"IHDR"
    chunk = struct.pack(">I", len(data)) + b"iTXt" + data + struct.pack(">I", checksum)
    return png[:end_of_header] + chunk + png[end_of_header:]


def read(png: bytes) -> Optional[Provenance]:
    """Reads the mark of a PNG file.

    Returns:
      What it says, or None for an image that does not say it is generated here.

    Raises:
      ValueError: not a PNG.
    """
    for kind, data in _chunks(png):
        if (
            kind != b"iTXt"
            or not data.startswith(_KEYWORD + b"\0")
            or SOURCE_TYPE.encode() not in data
        ):
            continue
        text = data.decode("utf-8", errors="replace")
        digest = re.search('dermgan:GeneratorDigest="([0-9a-f]{64})"', text)
        seed = re.search('dermgan:Seed="(-?[0-9]+)"', text)
        mixture = re.search('dermgan:Mixture="([0-9/~@.]+)"', text)
        if digest and seed:
            return Provenance(digest[1], int(seed[1]), mixture[1] if mixture else "")
    return None
