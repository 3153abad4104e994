"""Serialise numpy arrays together with a JSON header, for the store and for the fit process."""

import io
import json
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray


def pack(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> bytes:
    """Serialise arrays and a header of JSON values."""
    buffer, contents = io.BytesIO(), cast("dict[str, Any]", arrays)
    np.savez(buffer, about=np.frombuffer(json.dumps(header).encode(), np.uint8), **contents)
    return buffer.getvalue()


def unpack(packed: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the header and the arrays.

    Raises:
        ValueError, zipfile.BadZipFile, EOFError, KeyError: `pack` did not write these bytes.

    """
    with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return json.loads(arrays.pop("about").tobytes()), arrays
