from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelyard.api.problems import RequestProblem
from modelyard.api.tensors import DTYPES, Datatype, Tensor, cut, merge, read_values, write_tensor, wrong

PATH = ("inputs", 0)
TEXTS = ["", "a", "Größe", "x" * 300]


def tensor(datatype: Any = "FP64", shape: Any = (2,), **further: Any) -> Tensor:
    return Tensor.model_validate({"name": "t", "datatype": datatype, "shape": list(shape), **further})


def refused(*arguments: Any) -> str:
    with pytest.raises(RequestProblem) as caught:
        read_values(*arguments)
    assert caught.value.details.status == 400
    return caught.value.details.detail


@pytest.mark.parametrize("datatype", DTYPES)
@pytest.mark.parametrize("shape", [(6,), (2, 3)])
def test_numbers_come_back_as_they_were_written(datatype: Datatype, shape: tuple[int, ...]) -> None:
    values = np.array([0, 1, 1, 0, 1, 0]).astype(np.bool_ if datatype == "BOOL" else DTYPES[datatype]).reshape(shape)
    for binary in (False, True):
        written, raw = write_tensor("t", datatype, values, binary=binary)
        (part,) = cut([written], memoryview(raw))
        assert written.shape == list(shape)
        assert (written.data is None, part is None) == (binary, not binary)
        np.testing.assert_array_equal(read_values(written, PATH, part), values.ravel())


def test_texts_come_back_as_they_were_written() -> None:
    for binary in (False, True):
        written, raw = write_tensor("t", "BYTES", TEXTS, binary=binary)
        (part,) = cut([written], memoryview(raw))
        assert read_values(written, PATH, part) == TEXTS


def test_nested_lists_are_rows() -> None:
    nested = tensor(shape=(2, 3), data=[[1, 2, None], [4.5, 5, 6]])
    assert read_values(nested, PATH, None) == [1, 2, None, 4.5, 5, 6]


def test_each_tensor_gets_its_part() -> None:
    sized = [tensor(parameters={"binary_data_size": size}) for size in (3, 0, 2)]
    parts = cut([sized[0], tensor(data=[1, 2]), *sized[1:]], memoryview(b"abcde"))
    assert [part if part is None else bytes(part) for part in parts] == [b"abc", None, b"", b"de"]


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ((6,), '(tensor "t"): expected at most the 5 bytes that follow, not 6'),
        ((3, 3), "/inputs/1/parameters/binary_data_size"),
        ((2**62,), "at most the 5 bytes"),
        ((4,), "5 bytes follow the JSON, but the inputs' binary_data_size are 4 together"),
        ((), "are 0 together"),
    ],
)
def test_sizes_that_lie_are_refused(sizes: tuple[int, ...], sentence: str) -> None:
    with pytest.raises(RequestProblem) as caught:
        cut([tensor(parameters={"binary_data_size": size}) for size in sizes], memoryview(b"abcde"))
    assert sentence in caught.value.details.detail


@pytest.mark.parametrize(
    ("datatype", "value", "sentence"),
    [
        ("FP64", "1", 'expected a number or null, not "1"'),
        ("FP32", True, "expected a number or null, not true"),
        ("INT64", 1.0, "expected a whole number or null, not 1.0"),
        ("INT8", 128, "expected INT8, from -128 to 127, not 128"),
        ("UINT64", -1, "expected UINT64, from 0 to 18446744073709551615, not -1"),
        ("BOOL", 1, "expected true or false or null, not 1"),
        ("BYTES", 1, "expected a text or null, not 1"),
        ("BYTES", [], "expected a text or null, not []"),
    ],
)
def test_a_value_of_another_type_is_named(datatype: str, value: Any, sentence: str) -> None:
    detail = refused(tensor(datatype, data=[None, value]), PATH, None)
    assert detail == f'/inputs/0/data/1 (tensor "t"): {sentence}'


@pytest.mark.parametrize(
    ("shape", "data", "sentence"),
    [
        ((2,), [1], "expected 2 values for the shape [2], not 1"),
        ((2**62,), [1], f"expected {2**62} values"),
        ((2**62, 2**62), [1], "values for the shape"),
        ((2, 2), [1, 2, 3], "expected 4 values"),
        ((2, 2), [[1, 2], [3]], "expected 2 lists of 2 values, not [[1, 2], [3]]"),
        ((1, 2), [[1, 2], [3, 4]], "expected 1 lists of 2 values"),
        ((2, 2), [[1, 2], 3, 4], "expected 4 values for the shape [2, 2], not 3"),
        ((2,), [[1], [2]], "expected a number or null, not [1]"),
        ((2,), None, "expected a list of values, not nothing"),
    ],
)
def test_data_of_another_shape_are_refused(shape: tuple[int, ...], data: Any, sentence: str) -> None:
    assert sentence in refused(tensor(shape=shape, data=data), PATH, None)


@pytest.mark.parametrize(
    ("datatype", "shape", "raw", "sentence"),
    [
        ("FP64", (2,), b"\0" * 15, "expected 16 bytes for FP64 of the shape [2], not 15"),
        ("INT8", (2**62,), b"\0", f"expected {2**62} bytes"),
        ("BOOL", (2,), b"\0\2", '/inputs/0/data/1 (tensor "t"): expected a byte 0 or 1, not 2'),
        ("BYTES", (2,), b"\1\0\0\0a", '/inputs/0/data/1 (tensor "t"): expected 2 texts, each behind its length'),
        ("BYTES", (2**62,), b"\0\0\0\0" * 3, "12 bytes, which end within this one"),
        ("BYTES", (1,), b"\xff\xff\xff\xffa", "which end within this one"),
        ("BYTES", (1,), b"\1\0\0", "which end within this one"),
        ("BYTES", (1,), b"\1\0\0\0aa", "expected 5 bytes for 1 texts, not 6"),
        ("BYTES", (1,), b"\1\0\0\0\xff", '/inputs/0/data/0 (tensor "t"): expected a text in UTF-8'),
    ],
)
def test_raw_values_that_are_cut_off_or_too_many_are_refused(
    datatype: str, shape: tuple[int, ...], raw: bytes, sentence: str
) -> None:
    assert sentence in refused(tensor(datatype, shape), PATH, memoryview(raw))


def test_values_come_in_one_place_only() -> None:
    assert "not both" in refused(tensor(data=[1, 2]), PATH, memoryview(b"\0" * 16))
    elsewhere = tensor(parameters={"shared_memory_region": "r"})
    assert "shared memory, which is not served" in refused(elsewhere, PATH, None)


def test_one_refusal_tells_all_and_is_malformed_where_any_is() -> None:
    merged = merge(
        [wrong(422, ("inputs", 0), "a", "x", "y"), wrong(400, ("inputs", 1), "b", "x", "y", "a hint")]
    ).details
    assert merged.status == 400
    assert merged.detail == '/inputs/0 (tensor "a"): expected x, not y (and 1 more)'
    assert merged.errors[1].detail == '/inputs/1 (tensor "b"): expected x, not y; a hint'
