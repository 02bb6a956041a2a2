"""Photographs and manifest rows as they come from anywhere, made by code, for tests.

`files()` makes photographs of one scene in every mode, format and orientation, and
many that are cut off, damaged, disguised or out to exhaust memory. `rows()` makes
manifest rows that are wrong in every way. `write` puts all of it into a folder with a
manifest, among good photographs. What must become of each is part of it.
"""

import dataclasses
import io
import os
import pathlib
import struct
import zlib
from typing import Dict, Iterator, List, Optional, Tuple

import numpy as np
from PIL import Image, PngImagePlugin

from preprocessing.data import manifest
from preprocessing.data.manifest import Box

SIZE = (64, 48)
LESION = Box(8, 10, 24, 26)  # In the upper left, so that every wrong turn moves it.
# Names and a place, as cameras and programs write them; nothing of it may leave a file.
SECRETS = (b"Jane Doe", b"GPS-48.2082N", b"Canon-SN-0815")
HEADER = (*manifest.REQUIRED_COLUMNS, "split", "note")
# Larger than any photograph here.
MAX_PIXELS = 1_000_000
USED, REJECTED, EITHER = "used", "rejected", "either"


@dataclasses.dataclass(frozen=True)
class Specimen:
    """A file, and what must become of its row.

    Attributes:
      data: the bytes of the file.
      fate: USED, REJECTED, or EITHER for damage that may or may not be noticed.
      reason: what the rejection must say, a part of it.
    """

    data: bytes
    fate: str = REJECTED
    reason: str = ""


def scene(seed: int = 0) -> Image.Image:
    """Draws light skin with a dark lesion in the box LESION."""
    noise = np.random.default_rng(seed).normal(0, 3, (SIZE[1], SIZE[0], 3))
    pixels = np.array((225, 184, 153)) + noise
    pixels[int(LESION.y0) : int(LESION.y1), int(LESION.x0) : int(LESION.x1)] *= 0.35
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _save(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, bits: int, color: int, rows: bytes, extra: bytes = b"") -> bytes:
    """A PNG from its parts, for what Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    body = extra + _chunk(b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + body + _chunk(b"IEND", b"")


def _sixteen_bit_rgb() -> bytes:
    pixels = np.asarray(scene()).astype(">u2") * 257
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    return _png(*SIZE, 16, 2, rows)


def as_stored(pixels: np.ndarray, orientation: int) -> Image.Image:
    """Returns what a camera stores of a scene, uint8 [H, W, 3] (EXIF 2.3, tag 274)."""
    stored = {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.transpose(1, 0, 2),
        6: np.rot90(pixels, 1),
        7: pixels[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(pixels, -1),
    }[orientation]
    return Image.fromarray(np.ascontiguousarray(stored))


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E], exif[0x013B] = SECRETS[0].decode(), SECRETS[2].decode()
    exif.get_ifd(0x8825)[29] = SECRETS[1].decode()
    return exif


def _modes() -> Iterator[Tuple[str, bytes]]:
    image = scene()
    grey = image.convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    yield "rgb16.png", _sixteen_bit_rgb()
    yield "i.tif", _save(Image.fromarray(np.asarray(grey).astype(np.int32)), "TIFF")
    yield "i16.png", _save(deep, "PNG")
    yield "i16.tif", _save(deep, "TIFF")
    yield "mode_1.png", _save(image.convert("1", dither=Image.Dither.NONE), "PNG")
    for mode in ("L", "LA", "P", "RGBA"):
        yield f"mode_{mode}.png", _save(image.convert(mode), "PNG")
    paletted = image.quantize(64)
    yield "p_transparent.png", _save(paletted, "PNG", transparency=bytes([255] * 63 + [128]))
    yield "l_transparent.png", _save(grey, "PNG", transparency=0)
    yield "rgb_transparent.png", _save(image, "PNG", transparency=(1, 2, 3))
    for mode in ("L", "RGB", "CMYK", "YCbCr"):
        yield f"mode_{mode}.jpg", _save(image.convert(mode), "JPEG", quality=95)
    for mode in ("CMYK", "LAB"):
        yield f"mode_{mode}.tif", _save(image.convert(mode), "TIFF")
    for kind in ("tiff_lzw", "tiff_adobe_deflate", "jpeg"):
        yield f"{kind}.tif", _save(image, "TIFF", compression=kind)
    yield "progressive.jpg", _save(image, "JPEG", progressive=True)
    yield "lossless.webp", _save(image.convert("RGBA"), "WEBP", lossless=True)
    for suffix, kind in (("bmp", "BMP"), ("jp2", "JPEG2000"), ("gif", "GIF"), ("avif", "AVIF")):
        yield f"plain.{suffix}", _save(image, kind)
    frames = [scene(1), Image.new("RGB", SIZE, "white")]
    for suffix, kind in (("gif", "GIF"), ("webp", "WEBP"), ("png", "PNG"), ("tif", "TIFF")):
        data = _save(image, kind, save_all=True, append_images=frames)
        yield f"animated.{suffix}", data
    yield "several.mpo", _save(image, "MPO", save_all=True, append_images=frames)


def _odd() -> Iterator[Tuple[str, bytes]]:
    """What is unusual and must be used."""
    yield from _modes()
    for orientation in range(1, 9):
        turned, exif = as_stored(np.asarray(scene()), orientation), _exif(orientation)
        for suffix, kind in (("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"), ("tif", "TIFF")):
            yield f"exif_{orientation}.{suffix}", _save(turned, kind, exif=exif)
    jpeg, png = _save(scene(), "JPEG"), _save(scene(), "PNG")
    for orientation in (0, 9, 65535):
        yield f"no_orientation_{orientation}.jpg", _save(scene(), "JPEG", exif=_exif(orientation))
    for name, block in (
        ("empty", b""),
        ("cut", _exif(6).tobytes()[:14]),
        ("far", b"MM\0*\xff\xff\xff\xff"),
        ("circle", b"II*\0\x08\0\0\0\0\0\x08\0\0\0"),
        ("noise", np.random.default_rng(0).bytes(500)),
    ):
        yield f"bad_exif_{name}.jpg", _save(scene(), "JPEG", exif=b"Exif\0\0" + block)
    yield "png_inside.jpg", png
    yield "jpeg_inside.png", jpeg
    yield "jpeg_inside.txt", jpeg
    yield "no_suffix", png
    yield "tail.jpg", jpeg + bytes(1000) + b"<script>"
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", SECRETS[0].decode())
    info.add_itxt("Comment", SECRETS[1].decode(), zip=True)
    yield "texts.png", _save(scene(), "PNG", pnginfo=info)
    yield "comment.jpg", _save(scene(), "JPEG", comment=SECRETS[0], xmp=b"<x>" + SECRETS[1])
    # Looks like another photograph's name; another letter e, and another alphabet.
    yield "caf\u00e9.jpg", jpeg
    yield "cafe\u0301.jpg", jpeg
    yield "\u0441ase.jpg", jpeg


def _damaged() -> Iterator[Tuple[str, Specimen]]:
    whole = {
        "jpg": _save(scene(), "JPEG", quality=95),
        "png": _save(scene(), "PNG"),
        "gif": _save(scene(), "GIF"),
        "tif": _save(scene(), "TIFF", compression="tiff_lzw"),
        "webp": _save(scene(), "WEBP"),
        "bmp": _save(scene(), "BMP"),
        "jp2": _save(scene(), "JPEG2000"),
        "avif": _save(scene(), "AVIF"),
    }
    for suffix, data in whole.items():
        for percent in (1, 5, 20, 40, 60, 80, 95):
            yield f"cut_{percent}.{suffix}", Specimen(data[: len(data) * percent // 100])
        rng = np.random.default_rng(len(data))
        for number in range(6):
            flipped = bytearray(data)
            for position in rng.integers(0, len(data), 1 + number):
                flipped[position] ^= 1 << rng.integers(8)
            yield f"flipped_{number}.{suffix}", Specimen(bytes(flipped), EITHER)


def _bombs() -> Iterator[Tuple[str, bytes]]:
    """Small files of many pixels: some honest, some with nothing behind the header."""
    large = Image.new("L", (1100, 1100))
    for suffix, kind in (("png", "PNG"), ("gif", "GIF"), ("jpg", "JPEG"), ("jp2", "JPEG2000")):
        yield f"bomb.{suffix}", _save(large, kind)
    yield "bomb.tif", _save(large, "TIFF", compression="tiff_lzw")
    yield "bomb.webp", _save(large, "WEBP")
    yield "bomb.avif", _save(large, "AVIF", speed=10)
    yield "huge.png", _png(2**31 - 1, 2**31 - 1, 8, 2, b"")
    yield "wide.png", _png(2**31 - 1, 16, 8, 2, b"")
    yield "huge.gif", _save(scene(), "GIF").replace(struct.pack("<HH", *SIZE), b"\xff" * 4)
    yield (
        "huge.bmp",
        b"BM" + struct.pack("<IIIIiiHHIIiiII", 99, 0, 54, 40, 50000, 50000, 1, 24, *[0] * 6),
    )
    yield "huge.jpg", _save(scene(), "JPEG").replace(struct.pack(">HH", *SIZE[::-1]), b"\xff" * 4)


def _not_photographs() -> Iterator[Tuple[str, Specimen]]:
    unreadable = "not an image that can be read"
    for name, data in (
        ("empty.jpg", b""),
        ("page.jpg", b"<!DOCTYPE html><html>404</html>"),
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        (
            "program.eps",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 48\n%%EndComments\nshowpage",
        ),
        ("paper.pdf", b"%PDF-1.4\n%%EOF"),
        ("archive.png", b"PK\x03\x04" + bytes(100)),
        ("ct.dcm", bytes(128) + b"DICM" + bytes(64)),
        ("icon.ico", _save(scene(), "ICO")),
        ("text.ppm", b"P3 64 48 255 " + b"9 " * 9216),
        ("zeros.jpg", bytes(5000)),
        ("noise.jpg", np.random.default_rng(1).bytes(5000)),
        ("marker.jpg", b"\xff\xd8\xff"),
        ("signature.png", b"\x89PNG\r\n\x1a\n"),
    ):
        yield name, Specimen(data, reason=unreadable if "marker" not in name else "")
    for name, image in (
        ("dot.png", Image.new("RGB", (1, 1))),
        ("line.png", Image.new("L", (900, 15))),
    ):
        yield name, Specimen(_save(image, "PNG"), reason="at least 16x16 needed")
    grey = np.asarray(scene().convert("L"))
    floats = Image.fromarray(grey.astype(np.float32))
    yield "float.tif", Specimen(_save(floats, "TIFF"), reason="floating-point pixels")
    for name, values in (("deep", grey.astype(np.int32) << 20), ("signed", -grey.astype(np.int32))):
        data = _save(Image.fromarray(values), "TIFF")
        yield f"{name}.tif", Specimen(data, reason="32-bit pixels")
    # Texts that unpack to 8 MiB.
    packed = zlib.compress(bytes(8 << 20))
    rows = b"".join(b"\0" + row.tobytes() for row in np.asarray(scene()))
    text, profile = b"Comment\0\0" + packed, b"icc\0\0" + packed
    for name, extra in (("text", _chunk(b"zTXt", text)), ("profile", _chunk(b"iCCP", profile))):
        data = _png(*SIZE, 8, 2, rows, extra)
        yield f"{name}_bomb.png", Specimen(data, reason="Decompressed data too large")


def files() -> Dict[str, Specimen]:
    """Makes all files, by name."""
    made = {name: Specimen(data, USED) for name, data in _odd()}
    made.update(_damaged())
    made.update((name, Specimen(data, reason="are more than the limit")) for name, data in _bombs())
    made.update(_not_photographs())
    return made


def _row(**cells: str) -> str:
    """One row of the manifest, good but for the cells given, quoted as they are."""
    number = cells.pop("number")
    values = {
        "case_id": f"case-{number}",
        "patient_id": f"patient-{number}",
        "image_id": f"image-{number}",
        "image": "good_0.jpg",
        "condition": "Melanoma",
        "fitzpatrick": "2",
        "rois": manifest.format_rois([LESION]),
        "split": "train",
        "note": "",
        **cells,
    }
    return ",".join(values[column] for column in HEADER)


_UNCLOSED = '"a\nb'
# Cells that make a row unusable, and a part of what must be said.
_BAD_CELLS: Tuple[Tuple[str, str, str], ...] = (
    *(
        ("image", path, "leaves the folder")
        for path in ("../outside.jpg", "/etc/passwd", "a/../../x.jpg", "out/x.jpg", "out.jpg", "..")
    ),
    ("image", ".", "leaves the folder"),
    ("image", "", "the path is empty"),
    ("image", "none.jpg", "no such file"),
    ("image", "dangling.jpg", "no such file"),
    ("image", "folder.jpg", "is not a regular file"),
    ("image", "pipe.jpg", "is not a regular file"),
    ("image", "circle.jpg", ""),
    ("image", "x" * 5000, ""),
    ("image", "good_0.jpg/", "no such file"),
    ("image", "GOOD_0.JPG", "no such file"),
    ("image", '"two\nlines.jpg"', "no such file"),
    ("image", "cases.csv", "not an image that can be read"),
    ("image", "nul\0.jpg", ""),
    ("image", "\udce9.jpg", "is not UTF-8 text"),
    ("note", "\udcff\udcfe", "is not UTF-8 text"),
    ("note", "y" * 200_000, "field larger than field limit"),
    ("note", "a,b", "10 cells where the header has 9"),
    # Takes all that follows with it.
    ("note", _UNCLOSED, "is a quotation mark not closed?"),
    ("condition", "\u041celanoma", "unknown condition"),
    ("condition", "", "unknown condition"),
    ("condition", "z" * 100_000, "unknown condition of 100000 letters"),
    *(
        ("fitzpatrick", text, "is not 1..6 or empty")
        for text in ("0", "7", "-1", "nan", "inf", "2.5", "II", "1e999", "\u2161", "9" * 5000)
    ),
    *(
        ("rois", text, "is not 'x0 y0 x1 y1'")
        for text in (
            "nan 0 9 9",
            "0 0 inf 9",
            "-inf 0 9 9",
            "0 0 1e999 9",
            "1 2 3",
            "a b c d",
            "1 2 3 4 5",
        )
    ),
    *(("rois", text, "is empty or inverted") for text in ("9 9 9 20", "20 9 9 20", "0 0 0 0")),
    *(("rois", text, "smaller than half a pixel") for text in ("0 0 1e-300 9", "8 8 8.4 20")),
    *(
        ("rois", text, "is outside the 64x48 photograph")
        for text in (
            "0 0 1e308 1e308",
            "-1e308 0 1e308 9",
            "50 40 90 90",
            "64 0 66 9",
            "-9 -9 -1 -1",
        )
    ),
    ("rois", ";".join(["8 10 24 26"] * 9000), "9000 boxes are more than the limit"),
    ("split", "dev", "is not one of"),
    ("case_id", "", "the cell is empty"),
    ("patient_id", '" "', "the cell is empty"),
    ("image_id", "image-good-0", "is already on row"),
)


def rows() -> List[Tuple[str, str]]:
    """Makes manifest rows that cannot be used: text of the row, and a part of the reason."""
    made = [
        (_row(number=str(number), **{column: cell}), reason)
        for number, (column, cell, reason) in enumerate(_BAD_CELLS)
    ]
    made.append(("case-short,patient-short", "2 cells where the header has 9"))
    return sorted(made, key=lambda row: row[0].endswith(_UNCLOSED))


@dataclasses.dataclass(frozen=True)
class Expected:
    """What must become of a row of the manifest.

    Attributes:
      line: that the row starts on.
      name: what it is about, for messages.
      fate: USED, REJECTED or EITHER.
      reason: a part of it.
      image_id: of the row, where it has one.
    """

    line: int
    name: str
    fate: str
    reason: str
    image_id: Optional[str] = None


def _make_special_files(folder: pathlib.Path) -> None:
    outside = folder.parent / "outside"
    outside.mkdir(exist_ok=True)
    for path in (outside / "x.jpg", folder.parent / "outside.jpg"):
        path.write_bytes(_save(scene(), "JPEG"))
    (folder / "out").symlink_to(outside)
    (folder / "out.jpg").symlink_to(folder.parent / "outside.jpg")
    (folder / "dangling.jpg").symlink_to(folder / "nowhere.jpg")
    (folder / "circle.jpg").symlink_to(folder / "circle.jpg")
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")


def write(folder: pathlib.Path, good: int = 20) -> List[Expected]:
    """Writes everything, with `manifest.csv`, and returns what must become of each row."""
    _make_special_files(folder)
    specimens = {
        f"good_{number}.jpg": Specimen(_save(scene(number), "JPEG", quality=90), USED)
        for number in range(good)
    }
    specimens.update(files())
    expected: List[Expected] = []
    text = ",".join(HEADER) + "\r\n"

    def add(row: str, name: str, fate: str, reason: str, image_id: Optional[str] = None) -> None:
        nonlocal text
        line = 1 + text.count("\n") + text.replace("\r\n", "").count("\r")
        expected.append(Expected(line, name, fate, reason, image_id))
        # Line ends of three systems, in one file.
        text += row + ("\r\n", "\n", "\r")[len(expected) % 3]

    for number, (name, specimen) in enumerate(specimens.items()):
        (folder / name).write_bytes(specimen.data)
        key = f"good-{number}"
        add(_row(number=key, image=name), name, specimen.fate, specimen.reason, f"image-{key}")
    for row, reason in rows():
        add(row, row[:80], REJECTED, reason)
    data = b"\xef\xbb\xbf" + text.encode("utf-8", "surrogateescape")
    (folder / "cases.csv").write_bytes(data)
    return expected
