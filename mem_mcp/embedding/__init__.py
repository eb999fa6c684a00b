"""Text to vectors: the bundled model, or a remote one behind the same protocol."""

from mem_mcp.embedding.cached import CachedEmbedder
from mem_mcp.embedding.embedder import Embedder
from mem_mcp.embedding.onnx import BundledEmbedder
from mem_mcp.embedding.remote import RemoteEmbedder

__all__ = ["BundledEmbedder", "CachedEmbedder", "Embedder", "RemoteEmbedder"]
