"""Content encodings: every body comes back, and no small body fills the memory."""

from __future__ import annotations

import contextlib
import gzip
import tracemalloc
import zlib

import brotli  # type: ignore[import-untyped]  # the package has no type information
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from harness.wire import BodyTooLarge, CorruptBody, UnsupportedEncoding, decode_body, encode_body

COMPRESSIONS = ["gzip", "deflate", "br", "zstd"]
MEBIBYTE = 2**20


def zstd_frame_without_size(body: bytes) -> bytes:
    """A frame as a streaming client writes it: it does not say how much it contains."""
    stream = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    frame: bytes = stream.compress(body) + stream.flush()
    assert zstandard.frame_content_size(frame) == -1
    return frame


@given(st.binary(max_size=2000), st.lists(st.sampled_from([*COMPRESSIONS, "identity", "UTF-8", ""]), max_size=3))
def test_encoding_and_decoding_cancel_out(body: bytes, encodings: list[str]) -> None:
    header = ", ".join(encodings)
    assert decode_body(encode_body(body, header), header, limit=10_000) == body


@pytest.mark.parametrize("header", [None, "", "UTF-8", "utf-8", "identity", "Identity", " "])
def test_what_is_not_compressed_is_left_alone(header: str | None) -> None:
    assert decode_body(b"\x1f\x8bplain", header, limit=100) == b"\x1f\x8bplain"


@pytest.mark.parametrize(
    ("header", "body"),
    [
        pytest.param("gzip", gzip.compress(b"hello"), id="gzip"),
        pytest.param("GZIP", gzip.compress(b"hello"), id="upper case"),
        pytest.param("gzip", gzip.compress(b"he") + gzip.compress(b"") + gzip.compress(b"llo"), id="gzip members"),
        pytest.param("deflate", zlib.compress(b"hello"), id="deflate"),
        pytest.param("br", brotli.compress(b"hello"), id="br"),
        pytest.param("zstd", zstandard.compress(b"hello"), id="zstd"),
        pytest.param("zstd", zstd_frame_without_size(b"hello"), id="zstd without size"),
        pytest.param("deflate, gzip", gzip.compress(zlib.compress(b"hello")), id="last one first"),
    ],
)
def test_bodies_of_other_writers_are_decoded(header: str, body: bytes) -> None:
    assert decode_body(body, header, limit=100) == b"hello"


@pytest.mark.parametrize("encoding", COMPRESSIONS)
def test_every_truncation_is_corrupt(encoding: str) -> None:
    body = encode_body(b"some text, some more text" * 3, encoding)
    for end in range(len(body)):
        with pytest.raises(CorruptBody, match=encoding):
            decode_body(body[:end], encoding, limit=1000)


def test_every_truncation_of_a_zstd_frame_without_size_is_corrupt() -> None:
    body = zstd_frame_without_size(b"some text, some more text" * 3)
    for end in range(len(body)):
        with pytest.raises(CorruptBody):
            decode_body(body[:end], "zstd", limit=1000)


def test_a_cut_in_the_second_gzip_member_is_corrupt() -> None:
    member = gzip.compress(b"hello")
    for end in range(1, len(member)):
        with pytest.raises(CorruptBody, match="the body is not valid gzip"):
            decode_body(member + member[:end], "gzip", limit=1000)


@pytest.mark.parametrize("encoding", COMPRESSIONS)
@pytest.mark.parametrize("garbage", [b"x", b"garbage behind the data"])
def test_bytes_behind_the_data_are_corrupt(encoding: str, garbage: bytes) -> None:
    with pytest.raises(CorruptBody):
        decode_body(encode_body(b"hello", encoding) + garbage, encoding, limit=1000)


@pytest.mark.parametrize("encoding", COMPRESSIONS)
@given(body=st.binary(max_size=100))
def test_arbitrary_bytes_never_do_more_than_be_refused(encoding: str, body: bytes) -> None:
    with contextlib.suppress(CorruptBody, BodyTooLarge):
        assert len(decode_body(body, encoding, limit=1000)) <= 1000


def test_a_damaged_byte_is_noticed_by_the_checksum() -> None:
    body = bytearray(gzip.compress(b"hello"))
    body[-8] ^= 1
    with pytest.raises(CorruptBody, match="the body is not valid gzip"):
        decode_body(bytes(body), "gzip", limit=100)


@pytest.mark.parametrize("header", ["snappy", "gzip, compress", "gzip;q=1"])
def test_an_unknown_encoding_is_named(header: str) -> None:
    with pytest.raises(UnsupportedEncoding, match="allowed are identity, gzip, deflate, br, zstd") as refused:
        decode_body(gzip.compress(b""), header, limit=100)
    assert refused.value.encoding == header.rpartition(", ")[2]
    with pytest.raises(UnsupportedEncoding):
        encode_body(b"", header)


@pytest.mark.parametrize("encoding", [*COMPRESSIONS, "identity", "gzip, gzip"])
def test_the_limit_is_exact(encoding: str) -> None:
    content = bytes(range(256)) * 40
    body = encode_body(content, encoding)
    assert decode_body(body, encoding, limit=len(content)) == content
    with pytest.raises(BodyTooLarge) as refused:
        decode_body(body, encoding, limit=len(content) - 1)
    assert refused.value.limit == len(content) - 1


def test_the_limit_is_exact_for_a_zstd_frame_without_size() -> None:
    body = zstd_frame_without_size(b"x" * 5000)
    assert decode_body(body, "zstd", limit=5000) == b"x" * 5000
    with pytest.raises(BodyTooLarge):
        decode_body(body, "zstd", limit=4999)


def test_the_limit_holds_over_all_gzip_members() -> None:
    body = gzip.compress(b"x" * 600) * 2
    assert decode_body(body, "gzip", limit=1200) == b"x" * 1200
    with pytest.raises(BodyTooLarge):
        decode_body(body, "gzip", limit=1199)


def bombs() -> list[tuple[str, bytes]]:
    """Small bodies that would decode to 16 MiB."""
    zeros = bytes(16 * MEBIBYTE)
    plain = [(encoding, encode_body(zeros, encoding)) for encoding in COMPRESSIONS]
    return [
        *plain,
        ("zstd", zstd_frame_without_size(zeros)),
        ("gzip", gzip.compress(b"x") + gzip.compress(zeros)),
        ("gzip, gzip", encode_body(zeros, "gzip, gzip")),
    ]


def test_bombs_stop_at_the_limit() -> None:
    for encoding, body in bombs():
        tracemalloc.start()
        try:
            with pytest.raises(BodyTooLarge):
                decode_body(body, encoding, limit=MEBIBYTE)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        # Brotli's buffer grows in steps and may pass the limit once; none comes near to what it would have become.
        assert peak < 4 * MEBIBYTE, encoding


def test_a_zstd_frame_that_only_claims_to_be_huge_allocates_nothing() -> None:
    # RFC 8878: magic number, a descriptor (single segment, size in 8 bytes), the size, an empty last block.
    frame = b"\x28\xb5\x2f\xfd" + b"\xe0" + (2**50).to_bytes(8, "little") + b"\x01\x00\x00"
    assert zstandard.frame_content_size(frame) == 2**50
    with pytest.raises(BodyTooLarge):
        decode_body(frame, "zstd", limit=MEBIBYTE)
