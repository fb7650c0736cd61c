"""Compiled models at work: needs NumPy and ONNX Runtime, and nothing of training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from modelyard.errors import ModelError

__all__ = ["OnnxScorer", "RowScorer"]

INPUT = "X"
OUTPUTS = ("probabilities", "value")
LEAST_ROWS = "least_rows"
DTYPES: dict[str, np.dtype[Any]] = {"tensor(float)": np.dtype(np.float32), "tensor(double)": np.dtype(np.float64)}


class OnnxScorer:
    """Scores encoded rows with a compiled model.

    Args:
        model: The serialized ONNX model, as `modelyard.models.compiled.compile_model` makes it.
        threads: How many one call may use; more than one helps only with many rows a call.
        picklable: Whether to keep the serialized model, from which a copy and an unpickled scorer are built.

    Attributes:
        session: The session of ONNX Runtime.
        output: ``probabilities`` or ``value``.
        dtype: Type of the scores: float32, or float64 for values that float32 is too coarse for.
        width: Number of features.
        least_rows: Fewer are scored with empty ones beside them, so that a row's score does not depend on its company.

    Raises:
        ModelError: The bytes are no ONNX model, or one with other inputs and outputs.
    """

    def __init__(self, model: bytes, threads: int = 1, *, picklable: bool = True) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # both pay where large tensors come and go; here they cost a seventh of a row's time, and memory
        options.enable_mem_pattern = False
        options.enable_cpu_mem_arena = False
        try:
            self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises a class of its own for each kind of damage
            reason = str(error).strip().splitlines()[:1]
            raise ModelError(f"the compiled model cannot be loaded: {''.join(reason)}; pack the run again") from error
        inputs, outputs = self.session.get_inputs(), self.session.get_outputs()
        names = [each.name for each in (*inputs, *outputs)]
        if len(names) != 2 or names[0] != INPUT or names[1] not in OUTPUTS or inputs[0].type != "tensor(float)":
            raise ModelError(
                f"the compiled model has {', '.join(names)} where the input X, of float, and the output "
                "probabilities or value are expected; let the trainer's convert() name them so"
            )
        self._source = (model, threads) if picklable else None
        self.output = names[1]
        allowed = [each for each in DTYPES if each == "tensor(float)" or self.output == "value"]
        if outputs[0].type not in allowed:
            raise ModelError(
                f"the compiled model's output {self.output} is a {outputs[0].type} where a {' or '.join(allowed)} "
                "is expected; let the trainer's convert() cast it"
            )
        self.dtype = DTYPES[outputs[0].type]
        self.width = _width(inputs[0].shape)
        self.least_rows = _least_rows(self.session.get_modelmeta().custom_metadata_map.get(LEAST_ROWS, "1"))

    def __call__(self, matrix: NDArray[np.float32]) -> NDArray[np.floating]:
        """Returns probabilities (n, classes) or values (n,), of type `dtype`.

        Args:
            matrix: Encoded rows, float32, shape (n, features).
        """
        count = len(matrix)
        if count < self.least_rows:
            matrix = np.concatenate([matrix, np.zeros((self.least_rows - count, self.width), dtype=np.float32)])
        scores: NDArray[np.floating] = self.session.run((self.output,), {INPUT: matrix})[0][:count]
        return scores.ravel() if self.output == "value" else scores

    def __reduce__(self) -> tuple[type[OnnxScorer], tuple[bytes, int]]:
        if self._source is None:
            raise ModelError("this scorer was loaded without its serialized model; load it with picklable=True")
        return OnnxScorer, self._source


def _width(shape: Sequence[Any]) -> int:
    if len(shape) != 2 or not isinstance(shape[1], int):
        raise ModelError(f"the compiled model's input has the shape {shape}, not (rows, number of features)")
    return shape[1]


def _least_rows(text: str) -> int:
    if text not in ("1", "2"):
        raise ModelError(f"the compiled model says {LEAST_ROWS}={text[:20]!r}, not 1 or 2")
    return int(text)


class RowScorer:
    """Scores one row at a time through buffers that are bound once; for one thread only.

    Args:
        scorer: Whose session it uses.
        width: Number of scores of a row: the classes, or 1 for a value.

    Attributes:
        matrix: Where the encoded row goes, float32, shape (1, features).
        scores: The last row's scores, to be copied and read by `split`.
        record: They and the row itself.
    """

    def __init__(self, scorer: OnnxScorer, width: int) -> None:
        rows = scorer.least_rows
        self._width, self._dtype = width, scorer.dtype
        self._begin = rows * width * scorer.dtype.itemsize
        row_bytes = scorer.width * np.dtype(np.float32).itemsize
        # in one piece, so that one copy keeps a row with its scores; the scores first, for their alignment
        both = np.zeros(self._begin + rows * row_bytes, dtype=np.uint8)
        scores = both[: self._begin].view(scorer.dtype).reshape(rows, width)
        matrix = both[self._begin :].view(np.float32).reshape(rows, scorer.width)
        self.matrix = matrix[:1]
        # NumPy is slow for a few values
        self._list = scores[0].data.tolist
        self.scores = scores[0].data
        self.record = both[: self._begin + row_bytes].data
        binding = scorer.session.io_binding()
        for bind, name, array in (
            (binding.bind_input, INPUT, matrix),
            (binding.bind_output, scorer.output, scores),
        ):
            bind(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        # what `run_with_iobinding` of the session calls, without what it costs to look
        self._run = partial(scorer.session._sess.run_with_iobinding, binding._iobinding, None)

    def __call__(self) -> list[float]:
        """Returns the scores of the row in `matrix`: probabilities by class, or one value."""
        self._run()
        scores: list[Any] = self._list()
        return scores

    def split(self, kept: bytes | bytearray, count: int) -> tuple[NDArray[np.float32], NDArray[np.floating]]:
        """Reads copies of `record` or of `scores`, so many.

        Returns:
            The rows, shape (n, features), or (n, 0) of scores alone; and the scores, shape (n, width).
        """
        read = np.frombuffer(kept, dtype=np.uint8).reshape(count, -1)
        scores = read[:, : self._width * self._dtype.itemsize]
        return read[:, self._begin :].view(np.float32), scores.view(self._dtype)
