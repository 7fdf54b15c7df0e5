"""Prints tests/vectors/npy.jsonl: files as NumPy writes them, in base64, one a line.

NumPy is all it needs: python3 scripts/make_npy_vectors.py > tests/vectors/npy.jsonl
"""

import base64
import io
import json

import numpy as np


def file_of(array, version):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=version)
    return base64.b64encode(out.getvalue()).decode()


ARRAYS = {
    "i4": np.array([[1, -2, 3], [2147483647, -2147483648, 0]], "<i4"),
    "i8": np.array([9007199254740993, -1], "<i8"),
    "f4": np.array([0.1, -0.0, np.inf], "<f4"),
    "f8": np.array([[[0.1]], [[-1e308]]], "<f8"),
    "u1": np.array([0, 1, 255], "|u1"),
    "u2": np.array([65535, 1], "<u2"),
    "i1": np.array([-128, 127], "|i1"),
    "i2": np.array([-32768, 32767, -100], "<i2"),
    "u4": np.array([4294967295, 1], "<u4"),
    "u8": np.array([18446744073709551615, 1], "<u8"),
    "f2": np.array([1, -2, 0.5], "<f2"),
    "scalar": np.array(7, "<i4"),
    "empty": np.zeros((0, 5), "<i4"),
    "big": np.array([1, 2], ">i4"),
    "fortran": np.asfortranarray(np.array([[1, 2], [3, 4]], "<i4")),
    "bool": np.array([True, False]),
    "record": np.zeros(1, [("a", "<i4"), ("b", "<f4")]),
    "text": np.array(["a"]),
}
for name, array in ARRAYS.items():
    print(json.dumps({"name": name, "version": 1, "file": file_of(array, (1, 0))}))
for version in (2, 3):
    name = f"version {version}"
    file = file_of(ARRAYS["i4"], (version, 0))
    print(json.dumps({"name": name, "version": version, "file": file}))
