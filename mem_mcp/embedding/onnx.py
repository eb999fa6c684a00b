"""The bundled embedder: multilingual-e5-small in ONNX, run in a thread of its own.

Importing this module and making a `BundledEmbedder` cost nothing. The first `embed`, or `load`,
loads the runtime and the model.
"""

import asyncio
import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakValueDictionary

import numpy as np

from mem_mcp.embedding.embedder import Role, Vectors
from mem_mcp.embedding.tokenizer import FIRST, LAST, Tokenizer
from mem_mcp.errors import EmbedderUnavailable

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

T = TypeVar("T")

MODEL_DIR = Path(__file__).parent / "model"
DIMENSION = 384
MAX_TOKENS = 512
"""Tokens of a window; a longer text has several."""
PREFIXES: dict[Role, str] = {"query": "query: ", "passage": "passage: "}
"""What the model was taught to find before a text."""
LEAST_KNOWN = 0.5
"""Share of a text's characters that the model must know to be said to read it."""

_MODEL, _TABLE, _TOKENIZER, _MEAN = "model.onnx", "table.bin", "tokenizer.bin", "mean.npy"
_FILES = (_MODEL, _TABLE, _TOKENIZER, _MEAN)
_CHECKSUMS = "SHA256SUMS"
# Tokens in one run, including padding. Larger batches are slower on few cores (texts of 150 tokens:
# 42 a second one by one, 25 in batches of 16), and ONNX Runtime never frees their memory.
_BATCH_TOKENS = 640
# Texts that the worker takes at a time. A query waits no longer than this behind a bulk import.
_TURN = 128


class BundledEmbedder:
    """Embeds with the bundled model, without network or key.

    Calls that arrive while the worker is busy are embedded together in its next turn. The vector of
    a text does not depend on the other texts in its batch, since the model quantises row by row.
    A text in a script that the model does not know gets a row of zeros.

    Args:
        model_dir: folder of the model's files and their checksums.
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
        """Name of the model with the start of a checksum of its files; it does not load the model.

        Raises:
            EmbedderUnavailable: the list of checksums is missing or damaged.
        """
        digests = "".join(self._checksums[name] for name in _FILES)
        return f"multilingual-e5-small-q8:{hashlib.sha256(digests.encode()).hexdigest()[:12]}"

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return DIMENSION

    async def embed(self, texts: Sequence[str], role: Role) -> Vectors:
        """Embed texts; see `Embedder.embed`. Of a longer text the first 10,240 characters count."""
        rows = np.empty((len(texts), DIMENSION), np.float32)
        for start in range(0, len(texts), _TURN):
            part = await asyncio.wrap_future(self._enqueue(texts[start : start + _TURN], role))
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
        if not {*_FILES} <= sums.keys():
            raise _broken(path, "is damaged")
        return sums

    def _enqueue(self, texts: Sequence[str], role: Role) -> Future[Vectors]:
        call = _PendingCall(texts, role)
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
            texts = [(text, call.role) for call in calls for text in call.texts]
            rows = self._loaded_encoder().encode(texts)
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
        # All are checked before the first is opened: what is mapped must not be damaged.
        model, _, tokenizer, mean = [self._verified(name) for name in _FILES]
        return _SentenceEncoder(
            _opened(_session, model), _opened(Tokenizer, tokenizer), _opened(_vector, mean)
        )

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
    """The texts of one call with their role, and the future of their vectors."""

    def __init__(self, texts: Sequence[str], role: Role) -> None:
        self.texts = list(texts)
        self.role = role
        self.result: Future[Vectors] = Future()


class _SentenceEncoder:
    """The tokenizer with the ONNX session. Making one is slow; only workers use it.

    Args:
        session: from token ids to the mean of their states.
        tokenizer: of the same model.
        mean: (d,) mean vector of passages. The model's vectors lie close together, and what all
            have in common tells no two texts apart.
    """

    def __init__(self, session: "InferenceSession", tokenizer: Tokenizer, mean: Vectors) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._mean = mean
        self._prefixes = {
            role: [FIRST, *tokenizer.tokens(prefix).ids] for role, prefix in PREFIXES.items()
        }

    def encode(self, texts: Sequence[tuple[str, Role]]) -> Vectors:
        """Return a unit vector for each text: the mean over its windows, weighted by length.

        A row of zeros stands for a text that the model cannot read.
        """
        windows = [self._windows(text, role) for text, role in texts]
        owners = np.repeat(np.arange(len(texts)), [len(each) for each in windows])
        tokens = [window for each in windows for window in each]
        rows = self._encode_windows(tokens)
        if not np.isfinite(rows).all():
            raise EmbedderUnavailable("the bundled model gave no usable vector; report it")
        means = np.zeros((len(texts), DIMENSION), np.float32)
        np.add.at(means, owners, rows * np.array([len(each) for each in tokens])[:, None])
        is_read = np.array([len(each) > 0 for each in windows], bool)
        means[is_read] = _unit(_unit(means[is_read]) - self._mean)
        return means

    def _windows(self, text: str, role: Role) -> list[list[int]]:
        """Return the token ids of each window of a text; none if the model cannot read it."""
        tokens = self._tokenizer.tokens(text.strip())
        if tokens.known < LEAST_KNOWN:
            return []
        prefix = self._prefixes[role]
        size = MAX_TOKENS - len(prefix) - 1
        starts = range(0, len(tokens.ids), size)
        return [[*prefix, *tokens.ids[start : start + size], LAST] for start in starts]

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


def _vector(file: Path) -> Vectors:
    vector = np.load(file, allow_pickle=False)
    if vector.shape != (DIMENSION,) or not np.isfinite(vector).all():
        raise ValueError(f"not {DIMENSION} numbers")
    return np.asarray(vector, np.float32)


def _opened(open_file: Callable[[Path], T], path: Path) -> T:
    try:
        return open_file(path)
    except Exception as error:
        raise _broken(path, f"cannot be loaded ({error})") from error


def _unit(rows: Vectors) -> Vectors:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _unreadable(path: Path, error: OSError) -> EmbedderUnavailable:
    return _broken(path, f"cannot be read ({error.strerror})")


def _broken(path: Path, problem: str) -> EmbedderUnavailable:
    return EmbedderUnavailable(f"{path} {problem}; reinstall mem-mcp")


def _closed() -> EmbedderUnavailable:
    return EmbedderUnavailable("the embedder is closed; open the memory again")
