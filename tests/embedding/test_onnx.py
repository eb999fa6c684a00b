"""The bundled embedder: the files it ships with, its vectors, and its behaviour under load."""

import asyncio
import hashlib
import io
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mem_mcp.embedding import BundledEmbedder, Embedder, Role
from mem_mcp.embedding.onnx import MODEL_DIR
from mem_mcp.errors import EmbedderUnavailable

FILES = ["model.onnx", "table.bin", "tokenizer.bin", "mean.npy"]
SENTENCES = [
    "I moved from Sweden four years ago.",
    "ok",
    "The deployment failed because the database migration had been run twice on the replica, "
    "and nobody noticed until the nightly report came out empty.",
    "Melanie painted a sunrise over the lake.",
    "Use exponential backoff when the API answers 429.",
    "Yes!",
]


@pytest.fixture(scope="module")
def embedder() -> Iterator[BundledEmbedder]:
    bundled = BundledEmbedder()
    yield bundled
    bundled.close()


@pytest.fixture
def model_copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODEL_DIR, tmp_path / "model"))


def replace(file: Path, content: bytes) -> None:
    """Put another file in the place of one of the model's, checksum included."""
    file.write_bytes(content)
    sums = file.parent / "SHA256SUMS"
    lines = sums.read_text().splitlines()
    others = [line for line in lines if not line.endswith(file.name)]
    sums.write_text("\n".join([*others, f"{hashlib.sha256(content).hexdigest()}  {file.name}"]))


def cosine(left: np.ndarray, right: np.ndarray) -> float:
    return float(left @ right)


@pytest.mark.parametrize("name", FILES)
def test_the_model_files_match_their_checksums(name: str):
    digest = hashlib.sha256((MODEL_DIR / name).read_bytes()).hexdigest()
    assert f"{digest}  {name}" in (MODEL_DIR / "SHA256SUMS").read_text().splitlines()


@pytest.mark.parametrize("name", ["LICENSE", "NOTICE"])
def test_the_model_carries_its_licence_and_origin(name: str):
    assert (MODEL_DIR / name).read_text().strip()


def test_the_identity_names_the_model_and_its_checksum():
    sums = dict(line.split()[::-1] for line in (MODEL_DIR / "SHA256SUMS").read_text().splitlines())
    digest = hashlib.sha256("".join(sums[name] for name in FILES).encode()).hexdigest()
    assert BundledEmbedder().identity == f"multilingual-e5-small-q8:{digest[:12]}"


def test_identity_and_dimension_are_known_without_loading_anything_heavy():
    code = (
        "import sys; from mem_mcp.embedding import BundledEmbedder; e = BundledEmbedder();"
        "assert e.identity and e.dimension == 384;"
        "assert 'onnxruntime' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.anyio
async def test_every_row_is_a_unit_vector_of_the_dimension(embedder: Embedder):
    rows = await embedder.embed(SENTENCES, "passage")
    assert rows.shape == (len(SENTENCES), embedder.dimension)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)


@pytest.mark.anyio
async def test_rows_come_in_the_order_of_the_texts(embedder: Embedder):
    rows = await embedder.embed(SENTENCES, "passage")
    backwards = await embedder.embed(SENTENCES[::-1], "passage")
    np.testing.assert_allclose(rows, backwards[::-1], atol=1e-5)


@pytest.mark.anyio
async def test_a_text_has_the_same_vector_whatever_it_is_embedded_with(embedder: Embedder):
    mates = [f"{word} " * 60 for word in SENTENCES] * 6
    among_mates = await embedder.embed([*SENTENCES, *mates], "passage")
    for text, row in zip(SENTENCES, among_mates, strict=False):
        (alone,) = await embedder.embed([text], "passage")
        np.testing.assert_allclose(alone, row, atol=1e-5)


@pytest.mark.anyio
async def test_a_paraphrase_is_nearer_than_another_topic(embedder: Embedder):
    (question,) = await embedder.embed(["Where does Caroline come from?"], "query")
    answer, other = await embedder.embed(
        [
            "Caroline: I moved here from Sweden four years ago.",
            "The build fails when the lock file is out of date.",
        ],
        "passage",
    )
    assert cosine(question, answer) > cosine(question, other) + 0.3


@pytest.mark.anyio
async def test_a_question_finds_its_answer_in_another_language(embedder: Embedder):
    (question,) = await embedder.embed(["Wo wird die Datenbank gesichert?"], "query")
    rows = await embedder.embed(
        [
            "The backup of the database is kept in another building.",
            "数据库的备份保存在另一栋楼里。",
            "My sister plays the violin in Vienna.",
            "我妹妹在维也纳拉小提琴。",
        ],
        "passage",
    )
    assert min(rows[:2] @ question) > max(rows[2:] @ question)


@pytest.mark.anyio
async def test_a_question_and_a_stored_text_of_the_same_words_differ(embedder: Embedder):
    (question,) = await embedder.embed(["the colour of the car"], "query")
    (stored,) = await embedder.embed(["the colour of the car"], "passage")
    assert 0.5 < cosine(question, stored) < 0.999


@pytest.mark.anyio
async def test_no_texts_give_no_rows(embedder: Embedder):
    assert (await embedder.embed([], "passage")).shape == (0, embedder.dimension)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "text",
    [
        "a",
        "?",
        "🎉🔥👩‍👩‍👧",
        "記憶は大切です",
        "the word for memory is 記憶 in Japanese",
        "a\x00b",
        "a \ud800 in a text",
        "aGVsbG8gd29ybGQhIHRoaXMgaXMgYmFzZTY0" * 20,
        "x" * 100_000,
        "word " * 20_000,
    ],
    ids=[
        "letter",
        "question mark",
        "emoji",
        "japanese",
        "two languages",
        "nul",
        "surrogate",
        "base64",
        "one word",
        "many words",
    ],
)
async def test_any_string_that_can_be_read_has_a_vector(embedder: Embedder, text: str):
    (row,) = await embedder.embed([text], "passage")
    assert np.linalg.norm(row) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "text",
    ["", "   \n", "ᎠᎵᏃᎯ ᏗᏎᏍᎠ", "ߒߞߏ ߘߏ߫", "\ud800", "\x01\x02"],
    ids=["empty", "blank", "cherokee", "n'ko", "surrogate", "control characters"],
)
@pytest.mark.parametrize("role", ["query", "passage"])
async def test_what_cannot_be_read_gets_zeros(embedder: Embedder, text: str, role: Role):
    among = await embedder.embed(["tea", text, "coffee"], role)
    assert not among[1].any()
    np.testing.assert_allclose(np.linalg.norm(among[::2], axis=1), 1.0, atol=1e-5)


@pytest.mark.anyio
async def test_what_a_long_text_says_late_counts_too(embedder: Embedder):
    filler = "the meeting went on about budgets and rooms and chairs. " * 60
    late, plain = await embedder.embed(
        [filler + "My dog is a beagle called Rex.", filler], "passage"
    )
    (asked,) = await embedder.embed(["what is the name of the dog?"], "query")
    assert asked @ late > asked @ plain + 0.02


@pytest.mark.anyio
async def test_a_very_long_text_counts_up_to_the_limit(embedder: Embedder):
    whole, other_end = await embedder.embed(
        ["alpha " * 2_000 + end for end in ("beta", "gamma")], "passage"
    )
    np.testing.assert_array_equal(whole, other_end)


@pytest.mark.anyio
async def test_concurrent_calls_each_get_their_own_rows(embedder: Embedder):
    calls = [[f"note {n} of {size}" for n in range(size)] for size in (1, 300, 2, 40, 1, 130, 7)]
    answers = await asyncio.gather(*(embedder.embed(texts, "passage") for texts in calls))
    for texts, rows in zip(calls, answers, strict=True):
        assert len(rows) == len(texts)
        (last,) = await embedder.embed(texts[-1:], "passage")
        np.testing.assert_allclose(rows[-1], last, atol=1e-5)


@pytest.mark.anyio
async def test_the_event_loop_runs_on_while_texts_are_embedded(embedder: Embedder):
    task = asyncio.create_task(embedder.embed(["a sentence to embed"] * 300, "passage"))
    turns = 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 10


@pytest.mark.anyio
async def test_a_cancelled_caller_harms_no_other(embedder: Embedder):
    tasks = [asyncio.create_task(embedder.embed([text], "passage")) for text in SENTENCES]
    await asyncio.sleep(0)
    tasks[2].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(answers.pop(2), asyncio.CancelledError)
    assert all(isinstance(rows, np.ndarray) and rows.shape == (1, 384) for rows in answers)


def test_threads_that_load_at_once_share_one_model():
    bundled = BundledEmbedder()
    loaded: list[object] = []
    threads = [
        threading.Thread(target=lambda: (bundled.load(), loaded.append(bundled._encoder)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bundled.close()
    assert len(loaded) == 4
    assert len(set(map(id, loaded))) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("name", FILES)
async def test_a_damaged_file_makes_the_embedder_unavailable(model_copy: Path, name: str):
    content = bytearray((model_copy / name).read_bytes())
    content[len(content) // 2] ^= 0xFF
    (model_copy / name).write_bytes(content)
    bundled = BundledEmbedder(model_dir=model_copy)
    with pytest.raises(EmbedderUnavailable, match=f"{name}.*reinstall mem-mcp"):
        await bundled.embed(["text"], "passage")
    bundled.close()


@pytest.mark.anyio
@pytest.mark.parametrize("name", FILES)
async def test_a_file_that_is_cut_makes_the_embedder_unavailable(model_copy: Path, name: str):
    os.truncate(model_copy / name, (model_copy / name).stat().st_size // 2)
    bundled = BundledEmbedder(model_dir=model_copy)
    with pytest.raises(EmbedderUnavailable, match=f"{name}.*reinstall mem-mcp"):
        await bundled.embed(["text"], "query")
    bundled.close()


@pytest.mark.parametrize("name", [*FILES, "SHA256SUMS"])
def test_a_missing_file_makes_the_embedder_unavailable(model_copy: Path, name: str):
    (model_copy / name).unlink()
    with pytest.raises(EmbedderUnavailable, match=f"{name}.*reinstall mem-mcp"):
        BundledEmbedder(model_dir=model_copy).load()


def test_a_model_the_runtime_refuses_makes_the_embedder_unavailable(model_copy: Path):
    replace(model_copy / "model.onnx", b"not a model")
    with pytest.raises(EmbedderUnavailable, match=r"model\.onnx.*reinstall mem-mcp"):
        BundledEmbedder(model_dir=model_copy).load()


@pytest.mark.parametrize("mean", [np.zeros(383), np.full(384, np.nan), np.zeros((1, 384))])
def test_a_mean_vector_that_does_not_fit_makes_the_embedder_unavailable(
    model_copy: Path, mean: np.ndarray
):
    content = io.BytesIO()
    np.save(content, mean)
    replace(model_copy / "mean.npy", content.getvalue())
    with pytest.raises(EmbedderUnavailable, match=r"mean\.npy.*384 numbers.*reinstall mem-mcp"):
        BundledEmbedder(model_dir=model_copy).load()


def test_a_damaged_list_of_checksums_is_named(model_copy: Path):
    (model_copy / "SHA256SUMS").write_text("nonsense")
    with pytest.raises(EmbedderUnavailable, match=r"SHA256SUMS.*reinstall mem-mcp"):
        _ = BundledEmbedder(model_dir=model_copy).identity


@pytest.mark.anyio
async def test_a_repaired_installation_works_without_a_restart(model_copy: Path):
    (model_copy / "model.onnx").unlink()
    bundled = BundledEmbedder(model_dir=model_copy)
    with pytest.raises(EmbedderUnavailable):
        await bundled.embed(["text"], "passage")
    shutil.copy(MODEL_DIR / "model.onnx", model_copy)
    assert (await bundled.embed(["text"], "passage")).shape == (1, 384)
    bundled.close()


@pytest.mark.anyio
async def test_a_closed_embedder_refuses_and_leaves_no_caller_waiting():
    bundled = BundledEmbedder()
    waiting = [asyncio.create_task(bundled.embed(["text"] * 100, "passage")) for _ in range(5)]
    await asyncio.sleep(0)
    bundled.close()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(answer, np.ndarray | EmbedderUnavailable) for answer in answers)
    with pytest.raises(EmbedderUnavailable, match="closed"):
        await bundled.embed(["text"], "passage")
