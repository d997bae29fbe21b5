"""Content encodings of request bodies: what SDKs compress with, and Relay accepts."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]  # the package has no type information
import zstandard

_GZIP_CONTAINER = 16 + zlib.MAX_WBITS
# Sent by sentry-ruby 5 and sentry.java.android 2; Relay ignores both (`middlewares/decompression.rs`).
_NOT_ENCODINGS = frozenset({"", "utf-8"})


class UnsupportedEncoding(ValueError):
    """A body is encoded in a way that Relay does not know.

    Attributes:
        encoding: The name that was given.
    """

    def __init__(self, encoding: str) -> None:
        super().__init__(encoding)
        self.encoding = encoding

    def __str__(self) -> str:
        return f"unsupported content encoding {self.encoding!r}, allowed are {', '.join(['identity', *_DECODERS])}"


class CorruptBody(ValueError):
    """A body is not what its content encoding says, or not all of it."""


class BodyTooLarge(ValueError):
    """A body is larger than allowed once it is decoded.

    Attributes:
        limit: The most bytes that were allowed.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit

    def __str__(self) -> str:
        return f"the decoded body is larger than {self.limit} bytes"


def decode_body(body: bytes, content_encoding: str | None, *, limit: int) -> bytes:
    """Undo the content encoding of a request body.

    Decompression stops at the limit, so that a small body cannot fill the memory.

    Args:
        body: The body as it came over the wire.
        content_encoding: Value of the `Content-Encoding` header, None without one: gzip, deflate (in a zlib
            container, as HTTP has it), br, zstd, identity, or several of them in the order they were applied.
        limit: Most bytes that the body, and every stage of its decoding, may have.

    Returns:
        The decoded body.

    Raises:
        UnsupportedEncoding: The header names something else.
        CorruptBody: The body is damaged, cut short, or has bytes behind its compressed data.
        BodyTooLarge: The limit was reached.
    """
    if len(body) > limit:
        raise BodyTooLarge(limit)
    for encoding in reversed(_encodings(content_encoding)):
        decode = _DECODERS.get(encoding)
        if decode is None:
            raise UnsupportedEncoding(encoding)
        body = decode(body, limit)
        if len(body) > limit:
            raise BodyTooLarge(limit)
    return body


def encode_body(body: bytes, encoding: str | None) -> bytes:
    """Apply a content encoding to a request body, the reverse of `decode_body`.

    Args:
        body: The body to be sent.
        encoding: As `content_encoding` there.

    Returns:
        The encoded body, the same for the same input.

    Raises:
        UnsupportedEncoding: The encoding is not one of those.
    """
    for name in _encodings(encoding):
        encode = _ENCODERS.get(name)
        if encode is None:
            raise UnsupportedEncoding(name)
        body = encode(body)
    return body


def _encodings(header: str | None) -> list[str]:
    names = [name.strip().lower() for name in (header or "").split(",")]
    return [name for name in names if name not in _NOT_ENCODINGS and name != "identity"]


# A decoder returns more than `limit` bytes as soon as there are any, without decoding the rest.


def _decode_gzip(body: bytes, limit: int) -> bytes:
    stream = zlib.decompressobj(wbits=_GZIP_CONTAINER)
    try:
        decoded = stream.decompress(body, limit + 1)
        if stream.eof and stream.unused_data:
            # A gzip file may consist of several members.
            with gzip.GzipFile(fileobj=io.BytesIO(body)) as members:
                return members.read(limit + 1)
    except (zlib.error, EOFError, OSError) as error:
        raise CorruptBody(f"the body is not valid gzip: {error}") from None
    if not stream.eof and len(decoded) <= limit:
        raise CorruptBody("the gzip body is cut short")
    return decoded


def _decode_deflate(body: bytes, limit: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        decoded = stream.decompress(body, limit + 1)
    except zlib.error as error:
        raise CorruptBody(f"the body is not valid deflate in a zlib container: {error}") from None
    if len(decoded) <= limit and not stream.eof:
        raise CorruptBody("the deflate body is cut short")
    if stream.unused_data:
        raise CorruptBody(f"{len(stream.unused_data)} bytes follow the deflate data")
    return decoded


def _decode_brotli(body: bytes, limit: int) -> bytes:
    stream = brotli.Decompressor()
    try:
        decoded: bytes = stream.process(body, output_buffer_limit=limit + 1)
    except brotli.error as error:
        raise CorruptBody(f"the body is not valid br: {error}") from None
    if len(decoded) <= limit and not stream.is_finished():
        raise CorruptBody("the br body is cut short")
    return decoded


def _decode_zstd(body: bytes, limit: int) -> bytes:
    try:
        # The decompressor allocates what the frame claims to contain, so the claim is checked first.
        if zstandard.frame_content_size(body) > limit:
            raise BodyTooLarge(limit)
        return zstandard.ZstdDecompressor().decompress(body, max_output_size=limit + 1, allow_extra_data=False)
    except zstandard.ZstdError as error:
        # A frame without claim that does not fit and one that is cut short fail alike: count what is there.
        if _zstd_exceeds(body, limit):
            raise BodyTooLarge(limit) from None
        raise CorruptBody(f"the body is not one valid zstd frame: {error}") from None


def _zstd_exceeds(body: bytes, limit: int) -> bool:
    try:
        return len(zstandard.ZstdDecompressor().stream_reader(body).read(limit + 1)) > limit
    except zstandard.ZstdError:
        return False


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _decode_gzip,
    "deflate": _decode_deflate,
    "br": _decode_brotli,
    "zstd": _decode_zstd,
}
_ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda body: gzip.compress(body, mtime=0),
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": lambda body: zstandard.ZstdCompressor().compress(body),
}
