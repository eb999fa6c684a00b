"""The embedder inside the package: all-MiniLM-L6-v2 in ONNX, run in one thread of its own.

Importing this module and making a `BundledEmbedder` cost nothing: the runtime and the model are
loaded by the first `embed`, in the worker thread, or by `load` when a caller wants them warm.
"""

import asyncio
import hashlib
import os
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import numpy as np

from mem_mcp.embedding.embedder import Vectors
from mem_mcp.errors import EmbedderUnavailable

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

MODEL_DIR = Path(__file__).parent / "model"
DIMENSION = 384
MAX_TOKENS = 256

_MODEL, _TOKENIZER, _CHECKSUMS = "model.onnx", "tokenizer.json", "SHA256SUMS"
# About ten windows of English: more would blur what a text is about, and cost time.
_MAX_CHARACTERS = 10_240
# Tokens run together, padding included. Larger batches are slower on few cores (of 150 tokens, 42
# texts a second one by one, 25 by sixteens), and what they took is never given back.
_BATCH_TOKENS = 640
# What the worker takes at a time: the longest a query has to wait behind a bulk import.
_TURN = 128


class BundledEmbedder:
    """Embeds with the model in the package; needs no network and no key.

    Calls that arrive while the worker is busy are embedded together in its next turn. A text has
    the same vector whatever it is embedded with: the model quantises each row by itself.
    """

    def __init__(self, model_dir: Path = MODEL_DIR) -> None:
        self._dir = model_dir
        self._model: _Model | None = None
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mem-mcp-embedder")
        self._queue = threading.Lock()
        self._pending: deque[_Call] = deque()
        self._closed = False

    @property
    def identity(self) -> str:
        """Name of the model and the start of its checksum; known without loading it.

        Raises:
            EmbedderUnavailable: The list of checksums is missing or damaged.
        """
        return f"all-MiniLM-L6-v2-int8:{self._checksums[_MODEL][:12]}"

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return DIMENSION

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts; see `Embedder.embed`. Of longer ones the first 10,240 characters count."""
        rows = np.empty((len(texts), DIMENSION), np.float32)
        for start in range(0, len(texts), _TURN):
            part = await asyncio.wrap_future(self._enqueue(texts[start : start + _TURN]))
            rows[start : start + _TURN] = part
        return rows

    def load(self) -> None:
        """Check and load the model unless it is loaded; blocks, and is safe from any thread.

        Raises:
            EmbedderUnavailable: A file is missing or damaged, or the runtime refuses the model.
        """
        self._loaded()

    def close(self) -> None:
        """Stop the worker after its current turn; calls that still wait get an error."""
        with self._queue:
            self._closed = True
            abandoned = list(self._pending)
            self._pending.clear()
        for call in abandoned:
            if call.result.set_running_or_notify_cancel():
                call.result.set_exception(_closed())
        self._worker.shutdown()
        self._model = None

    @cached_property
    def _checksums(self) -> dict[str, str]:
        path = self._dir / _CHECKSUMS
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            raise _unreadable(path, error) from error
        sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
        if not {_MODEL, _TOKENIZER} <= sums.keys():
            raise _broken(path, "is damaged")
        return sums

    def _enqueue(self, texts: Sequence[str]) -> Future[Vectors]:
        call = _Call(texts)
        with self._queue:
            if self._closed:
                raise _closed()
            self._pending.append(call)
            # One turn per call: a turn that serves several calls leaves later turns nothing to do.
            self._worker.submit(self._turn)
        return call.result

    def _turn(self) -> None:
        calls = [c for c in self._take() if c.result.set_running_or_notify_cancel()]
        if not calls:
            return
        try:
            rows = self._loaded().encode([text for call in calls for text in call.texts])
        except BaseException as error:  # noqa: BLE001 - whatever it is, the callers must hear of it
            for call in calls:
                call.result.set_exception(error)
            return
        start = 0
        for call in calls:
            end = start + len(call.texts)
            call.result.set_result(rows[start:end])
            start = end

    def _take(self) -> list["_Call"]:
        taken: list[_Call] = []
        room = _TURN
        with self._queue:
            while self._pending and (not taken or len(self._pending[0].texts) <= room):
                taken.append(self._pending.popleft())
                room -= len(taken[-1].texts)
        return taken

    def _loaded(self) -> "_Model":
        if self._model is None:
            with _loading:
                self._model = _in_use.get(self._dir) or self._load()
                _in_use[self._dir] = self._model
        return self._model

    def _load(self) -> "_Model":
        model, tokenizer = self._verified(_MODEL), self._verified(_TOKENIZER)
        try:
            return _Model(model, tokenizer)
        except Exception as error:
            raise _broken(self._dir / _MODEL, f"cannot be loaded ({error})") from error

    def _verified(self, name: str) -> Path:
        path = self._dir / name
        try:
            with path.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
        except OSError as error:
            raise _unreadable(path, error) from error
        if digest != self._checksums[name]:
            raise _broken(path, "is damaged")
        return path


class _Call:
    """The texts of one caller, and the promise of their vectors."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = list(texts)
        self.result: Future[Vectors] = Future()


class _Model:
    """The tokenizer and the ONNX session; heavy to make, used by workers only."""

    def __init__(self, model: Path, tokenizer: Path) -> None:
        self._session = _session(model)
        self._tokenizer = _tokenizer(tokenizer)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return one unit vector per text; of a long one the mean of its windows', by length."""
        encodings = self._tokenizer.encode_batch([_clean(text) for text in texts])
        windows = [[encoding, *encoding.overflowing] for encoding in encodings]
        owners = np.repeat(np.arange(len(texts)), [len(each) for each in windows])
        tokens = [window.ids for each in windows for window in each]
        rows = self._encode_windows(tokens)
        if not np.isfinite(rows).all():
            raise EmbedderUnavailable("the bundled model gave no usable vector; report it")
        means = np.zeros((len(texts), DIMENSION), np.float32)
        np.add.at(means, owners, rows * np.array([len(each) for each in tokens])[:, None])
        return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), np.float32)

    def _encode_windows(self, tokens: list[list[int]]) -> Vectors:
        # Neighbours of one length need little padding.
        order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
        rows = np.empty((len(tokens), DIMENSION), np.float32)
        while order:
            # The longest come first: the room that they take serves all others.
            size = max(1, _BATCH_TOKENS // len(tokens[order[-1]]))
            batch, order = order[-size:], order[:-size]
            rows[batch] = self._run([tokens[index] for index in batch])
        return rows

    def _run(self, batch: list[list[int]]) -> Vectors:
        ids = np.zeros((len(batch), max(map(len, batch))), np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        try:
            (vectors,) = self._session.run(None, {"input_ids": ids, "attention_mask": mask})
        except Exception as error:
            raise EmbedderUnavailable(f"the bundled model failed ({error})") from error
        return np.asarray(vectors, np.float32)


_in_use: WeakValueDictionary[Path, _Model] = WeakValueDictionary()
"""What the embedders of this process have loaded; several of one folder share it."""
_loading = threading.Lock()


def _session(model: Path) -> "InferenceSession":
    import onnxruntime  # noqa: PLC0415 - heavy: not before the model is needed

    # For versions that have no variable for it (mem_mcp/__init__.py).
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = min(4, os.cpu_count() or 1)
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that spin between two queries would burn the host's processors.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # By its path: what is given as bytes is held a second time.
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def _tokenizer(file: Path) -> "Tokenizer":
    from tokenizers import Tokenizer  # noqa: PLC0415 - heavy: not before the model is needed

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    return tokenizer


def _clean(text: str) -> str:
    # A lone surrogate is no valid text for the tokenizer.
    return text.strip()[:_MAX_CHARACTERS].encode(errors="replace").decode()


def _unreadable(path: Path, error: OSError) -> EmbedderUnavailable:
    return _broken(path, f"cannot be read ({error.strerror})")


def _broken(path: Path, problem: str) -> EmbedderUnavailable:
    return EmbedderUnavailable(f"{path} {problem}; reinstall mem-mcp")


def _closed() -> EmbedderUnavailable:
    return EmbedderUnavailable("the embedder is closed; open the memory again")
