"""The model folder: what is served, what it was compiled from, and a manifest that says what belongs to it.

model.onnx       the compiled graph; not there where the original is served
pipeline.pkl     the fitted pipeline; unpickled only where the caller allows it
reference.npy    rows and the fitted pipeline's answers, to verify the graph without the pipeline; 0.1 wrote none
contract.json    what the rows are
card.json        what is known of the model; its threshold and calibration are applied when it is loaded
manifest.json    SHA-256 of each of these; its own digest is the model's version
capacity.json    what a service of it can take; in bentos only, and no part of the model
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.data.contract import Contract
from modelyard.data.encoding import features_of
from modelyard.errors import DataError, ModelError, UsageError
from modelyard.models.calibration import CalibratedScorer
from modelyard.models.capacity import read_capacity
from modelyard.models.card import Card
from modelyard.models.manifest import (
    CARD,
    CONTRACT,
    GRAPH,
    MANIFEST,
    PIPELINE,
    REFERENCE,
    Manifest,
    read_file,
    read_files,
    read_manifest,
)
from modelyard.models.model import Model, PipelineScorer, Scorer
from modelyard.models.parity import check_parity
from modelyard.models.reference import Reference
from modelyard.models.scorer import OnnxScorer
from modelyard.utils.sentences import first_line

__all__ = ["load_model", "read_card", "read_contract", "save_model", "verify"]

logger = logging.getLogger(__name__)

RESTORE = "restore the folder or pack the run again"
TRUST = "if you trust its maker, allow its pickle (trust_pickle=True, --trust-pickle)"
NO_REFERENCE = f"only digests were checked: no reference rows, which 0.1 did not store; {TRUST}, or train it again"
ONLY_PICKLE = f"only digests were checked: the model has no compiled graph; {TRUST}"


def save_model(
    folder: str | os.PathLike[str], *, contract: Contract, card: Card, onnx: bytes | None = None, pipeline: Any = None
) -> Path:
    """Writes a model folder: all of it or, where this is interrupted, nothing. One that is there is replaced.

    Args:
        folder: Where to.
        contract: What the rows are.
        card: What is known of the model; its threshold and calibration become part of its answers.
        onnx: The compiled graph, as `compile_model` makes it; none where the original is to be served.
        pipeline: The fitted pipeline (``Fitted.pipeline``).

    Returns:
        The folder.

    Raises:
        UsageError: There is neither a graph nor a pipeline, or the card is of another contract.
    """
    if onnx is None and pipeline is None:
        raise UsageError("a model needs a compiled graph or a fitted pipeline; pass onnx= or pipeline=")
    if card.contract != contract.digest:
        raise UsageError("the card is of another contract; set its contract to contract.digest")
    parts = {CONTRACT: contract.to_json().encode(), CARD: card.to_json().encode()}
    if onnx is not None:
        parts[GRAPH] = onnx
    if pipeline is not None:
        parts[PIPELINE] = pickle.dumps(pipeline, protocol=5)
        parts[REFERENCE] = Reference.draw(_scorer_of(pipeline, contract, card), contract).to_bytes()
    manifest = Manifest(files={name: hashlib.sha256(content).hexdigest() for name, content in parts.items()})
    parts[MANIFEST] = manifest.to_json().encode()

    target = Path(folder).absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        made = work / "new"
        made.mkdir()
        for name, content in parts.items():
            (made / name).write_bytes(content)
        if target.exists():
            os.replace(target, work / "old")
        os.replace(made, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def load_model(
    folder: str | os.PathLike[str], *, allow_pickle: bool = False, threads: int = 1, picklable: bool = True
) -> Model:
    """Loads a model folder after every digest was checked.

    Args:
        folder: Where it is.
        allow_pickle: Whether to load the original pipeline where there is no compiled graph. A pickle can
            run any code: only for folders whose maker is trusted.
        threads: How many the compiled graph may use.
        picklable: Whether the model can be pickled and copied, which keeps its serialized graph in memory.

    Raises:
        ModelNotFound: There is no such folder.
        ArtifactDamaged: A file is missing or differs from the manifest.
        ModelError: It holds no compiled graph and `allow_pickle` is not set, or its contract does not fit the model.
    """
    path = Path(folder)
    manifest = read_manifest(path)
    parts = read_files(path, manifest, {GRAPH} if GRAPH in manifest.files else {PIPELINE})
    contract, card = _documents(path, parts)
    scorer: Scorer
    pipeline = None
    if GRAPH in parts:
        scorer = OnnxScorer(parts[GRAPH], threads=threads, picklable=picklable)
    elif allow_pickle:
        scorer, pipeline = _original(path, parts[PIPELINE], contract, card)
    else:
        raise ModelError(
            f"{path}: the model has no compiled graph, only a pickle, which can run any code; "
            "if you trust its maker, allow pickles (allow_pickle=True, model.serve_original=true)"
        )
    _check_fit(path, scorer, contract)
    return Model(contract, scorer, card.threshold, card.model, manifest.version, GRAPH in parts, pipeline)


def read_contract(folder: str | os.PathLike[str]) -> tuple[Contract, str]:
    """Returns a model folder's contract and the model's name, after every digest was checked; loads no model.

    Raises:
        ModelNotFound: There is no such folder.
        ArtifactDamaged: A file is missing or differs from the manifest.
    """
    path = Path(folder)
    parts = read_files(path, read_manifest(path), set())
    contract, card = _documents(path, parts)
    return contract, card.model


def verify(
    folder: str | os.PathLike[str], *, deep: bool = True, trust_pickle: bool = False, seed: int | None = None
) -> dict[str, Any]:
    """Checks that a model folder is what its manifest says, and that it answers as when it was made.

    Nothing is unpickled unless `trust_pickle` allows it: the manifest that authenticates the pickle lies beside it,
    so whoever can write the folder can write both.

    Args:
        folder: Where it is.
        deep: Whether to compare answers, and not only digests.
        trust_pickle: Whether to unpickle the fitted pipeline, which can run any code: only for folders whose maker is
            trusted. The graph is then compared with it on rows drawn afresh from the contract; a model without a
            graph is compared with its reference rows.
        seed: Seed of the draw. Defaults to another one each time.

    Returns:
        ``ok``, ``version``, ``digest``, ``files`` (number of files checked) and ``served``. After a deep check
        ``reference``, the comparison with the stored rows (see `models.parity.Parity`), and with `trust_pickle`
        ``parity`` and the ``seed`` of its rows. Where nothing could be compared, ``note`` says why and what to do.

    Raises:
        ModelNotFound: There is no such folder.
        ArtifactDamaged: A file is missing or differs from the manifest.
        ModelError: The pipeline cannot be loaded here, or the contract does not fit the graph.
    """
    path = Path(folder)
    manifest = read_manifest(path)
    wanted = {GRAPH, REFERENCE, *([PIPELINE] if trust_pickle else [])} if deep else set()
    parts = read_files(path, manifest, wanted)
    contract, card = _documents(path, parts)
    found: dict[str, Any] = {
        "ok": True,
        "version": manifest.version,
        "digest": manifest.digest,
        "files": len(manifest.files),
        "served": card.served,
    }
    return found | _compare(path, parts, contract, card, seed) if deep else found


def _compare(
    folder: Path, parts: Mapping[str, bytes], contract: Contract, card: Card, seed: int | None
) -> dict[str, Any]:
    """Compares the model with its reference rows and, where its pickle was read, graph and original on fresh rows."""
    graph = OnnxScorer(parts[GRAPH]) if GRAPH in parts else None
    original = _original(folder, parts[PIPELINE], contract, card)[0] if PIPELINE in parts else None
    served = graph or original
    if served is None:
        return {"note": ONLY_PICKLE}
    _check_fit(folder, served, contract)
    found: dict[str, Any] = {"ok": True}
    if REFERENCE in parts:
        reference = Reference.from_bytes(parts[REFERENCE], contract).compare(served, contract)
        found |= {"ok": reference.passed, "reference": reference.model_dump()}
    if graph is not None and original is not None:
        chosen = secrets.randbelow(2**32) if seed is None else seed
        nothing_held_out = np.empty((0, len(features_of(contract))), dtype=np.float32)
        parity = check_parity(original, graph, nothing_held_out, contract, contract.target.task, seed=chosen)
        found |= {"ok": found["ok"] and parity.passed, "parity": parity.model_dump(), "seed": chosen}
    return found if len(found) > 1 else found | {"note": NO_REFERENCE}


def read_card(folder: str | os.PathLike[str]) -> Card:
    """Returns a model folder's card, after its digest was checked, with the capacity that is kept beside it.

    Raises:
        ModelNotFound: There is no such folder.
        ArtifactDamaged: The card is missing or differs from the manifest.
    """
    path = Path(folder)
    card = Card.from_json(read_file(path, CARD, read_manifest(path).files[CARD]))
    return card.model_copy(update={"capacity": read_capacity(path)})


def _original(folder: Path, content: bytes, contract: Contract, card: Card) -> tuple[Scorer, Any]:
    """Unpickles a pipeline whose digest was checked, with a warning; returns its scorer and itself."""
    logger.warning("%s: loading a pickle, which can run any code; its digest matches the manifest", folder)
    try:
        pipeline = pickle.loads(content)
    except Exception as error:  # a damaged pickle can raise anything
        raise ModelError(
            f"{folder}: {PIPELINE} cannot be loaded ({error}); install the package versions that card.json names"
        ) from None
    wanted = "predict_proba" if contract.target.classes else "predict"
    if not hasattr(pipeline, wanted):
        raise ModelError(f"{folder}: {PIPELINE} holds a {type(pipeline).__name__}, which has no {wanted}")
    return _scorer_of(pipeline, contract, card), pipeline


def _scorer_of(pipeline: Any, contract: Contract, card: Card) -> Scorer:
    scorer: Scorer = PipelineScorer(pipeline, len(contract.target.classes))
    return scorer if card.calibration is None else CalibratedScorer(scorer, card.calibration)


def _documents(folder: Path, parts: Mapping[str, bytes]) -> tuple[Contract, Card]:
    try:
        return Contract.from_json(parts[CONTRACT]), Card.from_json(parts[CARD])
    except (DataError, ModelError) as error:
        raise ModelError(f"{folder}: {error}") from None


def _check_fit(folder: Path, scorer: Scorer, contract: Contract) -> None:
    """Refuses a contract of another model: without this every request would fail, or get wrong answers.

    Raises:
        ModelError: The model takes another number of features, or answers with something else.
    """
    task, classes = contract.target.task, len(contract.target.classes)
    if (task == "regression") != (classes == 0) or (task == "binary") != (classes == 2):
        raise ModelError(f"{folder}: the contract has {classes} classes, which is no {task}; {RESTORE}")
    width = len(features_of(contract))
    if isinstance(scorer, OnnxScorer) and scorer.width != width:
        raise ModelError(
            f"{folder}: the contract has {width} features, the compiled model takes {scorer.width}; {RESTORE}"
        )
    rows, expected = np.zeros((2, width), dtype=np.float32), (2, classes) if classes else (2,)
    try:
        shape = scorer(rows).shape
    except Exception as error:  # the original and ONNX Runtime raise classes of their own
        raise ModelError(f"{folder}: the model cannot score a row ({first_line(error)}); {RESTORE}") from None
    if shape != expected or (isinstance(scorer, OnnxScorer) and (scorer.output == "value") != (not classes)):
        raise ModelError(f"{folder}: the model answers two rows with the shape {shape}, not {expected}; {RESTORE}")
