"""The encoding of text files."""

from __future__ import annotations

import codecs

from modelyard.errors import ConfigError, TableUnreadable

__all__ = ["codec_of", "decode", "wrong_encoding"]


def codec_of(encoding: str) -> str:
    """Returns Python's name of an encoding; UTF-8 reads past a byte order mark.

    Raises:
        ConfigError: There is no such encoding.
    """
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        raise ConfigError("data.encoding", f"{encoding!r} is no known encoding", hint="try utf-8 or latin-1") from None
    return "utf-8-sig" if name == "utf-8" else name


def decode(data: bytes, path: str, encoding: str) -> str:
    """Decodes a whole text.

    Raises:
        TableUnreadable: The bytes are not of this encoding; names the line.
        ConfigError: There is no such encoding.
    """
    codec = codec_of(encoding)
    try:
        return data.decode(codec)
    except UnicodeError:
        raise wrong_encoding(data, path, encoding) from None


def wrong_encoding(data: bytes, path: str, encoding: str) -> TableUnreadable:
    """Returns the error for bytes that are not of this encoding."""
    where = "it"
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        where = f"line {line} (byte 0x{data[error.start]:02x})"
    except UnicodeError:
        pass
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    hint = "set data.encoding=utf-16" if utf16 else "set data.encoding, to cp1252 or latin-1 for example"
    return TableUnreadable(path, f"{where} is not {encoding} text", hint)
