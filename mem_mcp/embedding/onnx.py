"""The bundled embedder: all-MiniLM-L6-v2 in ONNX, run in a thread of its own.

Importing this module and making a `BundledEmbedder` cost nothing. The first `embed`, or `load`,
loads the runtime and the model.
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
# About ten windows of English. A mean over more would be less specific, and cost more time.
_MAX_CHARACTERS = 10_240
# Tokens in one run, including padding. Larger batches are slower on few cores (texts of 150 tokens:
# 42 a second one by one, 25 in batches of 16), and ONNX Runtime never frees their memory.
_BATCH_TOKENS = 640
# Texts that the worker takes at a time. A query waits no longer than this behind a bulk import.
_TURN = 128


class BundledEmbedder:
    """Embeds with the bundled model, without network or key.

    Calls that arrive while the worker is busy are embedded together in its next turn. The vector of
    a text does not depend on the other texts in its batch, since the model quantises row by row.

    Args:
        model_dir: folder of the model, its tokenizer and their checksums.
    """

    def __init__(self, model_dir: Path = MODEL_DIR) -> None:
        self._dir = model_dir
        self._encoder: _SentenceEncoder | None = None
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mem-mcp-embedder")
        self._queue = threading.Lock()
        self._pending: deque[_PendingCall] = deque()
        self._closed = False

    @property
    def identity(self) -> str:
        """Name of the model with the start of its checksum; reading it does not load the model.

        Raises:
            EmbedderUnavailable: the list of checksums is missing or damaged.
        """
        return f"all-MiniLM-L6-v2-int8:{self._checksums[_MODEL][:12]}"

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return DIMENSION

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts; see `Embedder.embed`. Of a longer text the first 10,240 characters count."""
        rows = np.empty((len(texts), DIMENSION), np.float32)
        for start in range(0, len(texts), _TURN):
            part = await asyncio.wrap_future(self._enqueue(texts[start : start + _TURN]))
            rows[start : start + _TURN] = part
        return rows

    def load(self) -> None:
        """Check and load the model unless it is loaded. It blocks, and any thread may call it.

        Raises:
            EmbedderUnavailable: a file is missing or damaged, or the runtime refuses the model.
        """
        self._loaded_encoder()

    def close(self) -> None:
        """Stop the worker after its current turn; calls that still wait fail."""
        with self._queue:
            self._closed = True
            abandoned = list(self._pending)
            self._pending.clear()
        for call in abandoned:
            if call.result.set_running_or_notify_cancel():
                call.result.set_exception(_closed())
        self._worker.shutdown()
        self._encoder = None

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
        call = _PendingCall(texts)
        with self._queue:
            if self._closed:
                raise _closed()
            self._pending.append(call)
            # One turn for each call; a turn that serves several leaves later turns without work.
            self._worker.submit(self._turn)
        return call.result

    def _turn(self) -> None:
        calls = [c for c in self._take() if c.result.set_running_or_notify_cancel()]
        if not calls:
            return
        try:
            rows = self._loaded_encoder().encode([text for call in calls for text in call.texts])
        except BaseException as error:  # noqa: BLE001 - every error must reach the callers
            for call in calls:
                call.result.set_exception(error)
            return
        start = 0
        for call in calls:
            end = start + len(call.texts)
            call.result.set_result(rows[start:end])
            start = end

    def _take(self) -> list["_PendingCall"]:
        taken: list[_PendingCall] = []
        room = _TURN
        with self._queue:
            while self._pending and (not taken or len(self._pending[0].texts) <= room):
                taken.append(self._pending.popleft())
                room -= len(taken[-1].texts)
        return taken

    def _loaded_encoder(self) -> "_SentenceEncoder":
        if self._encoder is None:
            with _loading:
                self._encoder = _encoders.get(self._dir) or self._load()
                _encoders[self._dir] = self._encoder
        return self._encoder

    def _load(self) -> "_SentenceEncoder":
        model, tokenizer = self._verified(_MODEL), self._verified(_TOKENIZER)
        try:
            return _SentenceEncoder(model, tokenizer)
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


class _PendingCall:
    """The texts of one call, and the future of their vectors."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = list(texts)
        self.result: Future[Vectors] = Future()


class _SentenceEncoder:
    """The tokenizer with the ONNX session. Making one is slow; only workers use it."""

    def __init__(self, model: Path, tokenizer: Path) -> None:
        self._session = _session(model)
        self._tokenizer = _tokenizer(tokenizer)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return a unit vector for each text: the mean over its windows, weighted by length."""
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
        # Sorted by length, so that a batch needs little padding.
        order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
        rows = np.empty((len(tokens), DIMENSION), np.float32)
        while order:
            # The longest come first: later batches fit into the memory they took.
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


_encoders: WeakValueDictionary[Path, _SentenceEncoder] = WeakValueDictionary()
"""Loaded encoders by folder; the embedders of this process share them."""
_loading = threading.Lock()


def _session(model: Path) -> "InferenceSession":
    import onnxruntime  # noqa: PLC0415 - heavy

    # For versions that do not read the variable set in mem_mcp/__init__.py.
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = min(4, os.cpu_count() or 1)
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Spinning threads would keep the processors busy between queries.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # By path: a model given as bytes is kept in memory twice.
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def _tokenizer(file: Path) -> "Tokenizer":
    from tokenizers import Tokenizer  # noqa: PLC0415 - heavy

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    return tokenizer


def _clean(text: str) -> str:
    # The tokenizer refuses lone surrogates.
    return text.strip()[:_MAX_CHARACTERS].encode(errors="replace").decode()


def _unreadable(path: Path, error: OSError) -> EmbedderUnavailable:
    return _broken(path, f"cannot be read ({error.strerror})")


def _broken(path: Path, problem: str) -> EmbedderUnavailable:
    return EmbedderUnavailable(f"{path} {problem}; reinstall mem-mcp")


def _closed() -> EmbedderUnavailable:
    return EmbedderUnavailable("the embedder is closed; open the memory again")
