"""Reports as bytes: compressed against another of the same profile, with which they share most of their text."""

import hashlib
import json
import zlib
from collections.abc import Mapping
from contextlib import suppress

import zstandard as zstd

LEVEL = 6
_LONGEST_NUMBER = 30
_MOST = 256 * 1024 * 1024
"""No stored report unpacks to more: what a damaged or forged one claims is not believed."""


class PackingError(ValueError):
    """The bytes are not what was packed."""


def digest(document: bytes) -> str:
    return hashlib.sha256(document).hexdigest()


def pack(document: bytes, basis: bytes = b"") -> bytes:
    """Checksummed; `unpack` wants the same basis."""
    parameters = zstd.ZstdCompressionParameters.from_level(
        LEVEL,
        source_size=len(document),
        dict_size=len(basis),
        window_log=_window_log(len(document) + len(basis)),
        strategy=zstd.STRATEGY_LAZY2,  # with a shorter search smaller than the level's own, in the same time
        search_log=2,
        write_checksum=True,
    )
    return zstd.ZstdCompressor(dict_data=_dictionary(basis), compression_params=parameters).compress(document)


def unpack(body: bytes, basis: bytes = b"") -> bytes:
    """Raises `PackingError` when they are damaged, or the basis is another."""
    try:
        if zstd.frame_content_size(body) > _MOST:
            raise PackingError("larger than any report")
        return zstd.ZstdDecompressor(dict_data=_dictionary(basis)).decompress(body, max_output_size=_MOST)
    except zstd.ZstdError as error:
        raise PackingError(str(error)) from None


def _dictionary(basis: bytes) -> zstd.ZstdCompressionDict | None:
    return zstd.ZstdCompressionDict(basis, dict_type=zstd.DICT_TYPE_RAWCONTENT) if basis else None


def _window_log(size: int) -> int:
    return max(18, min(25, size.bit_length()))


def pack_numbers(numbers: Mapping[str, float]) -> bytes:
    return zlib.compress(json.dumps(dict(numbers), separators=(",", ":")).encode(), 6)


def number_in(body: bytes, name: str) -> float | None:
    """One of them alone: a trend reads thousands of rows for it. None where it is missing or damaged."""
    try:
        text = zlib.decompress(body)
    except zlib.error:
        return None
    key = f",{json.dumps(name)}:".encode()
    _, _, after = (b"," + text[1:]).partition(key)
    with suppress(ValueError):  # as of nothing
        return float(after[:_LONGEST_NUMBER].partition(b",")[0].rstrip(b"}"))
    return None


def unpack_numbers(body: bytes) -> dict[str, float]:
    """Raises `PackingError`."""
    try:
        found = json.loads(zlib.decompress(body))
    except (zlib.error, ValueError) as error:
        raise PackingError(str(error)) from None
    if not isinstance(found, dict):
        raise PackingError("not a table of numbers")
    return found
