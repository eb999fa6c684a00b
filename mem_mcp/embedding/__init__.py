"""Embedders: the bundled model, a provider's model, and a cache, behind one protocol."""

from mem_mcp.embedding.cached import CachedEmbedder
from mem_mcp.embedding.embedder import Embedder, Role
from mem_mcp.embedding.former import FORMER
from mem_mcp.embedding.onnx import BundledEmbedder
from mem_mcp.embedding.prefixes import identity, prefixes
from mem_mcp.embedding.remote import RemoteEmbedder

__all__ = [
    "FORMER",
    "BundledEmbedder",
    "CachedEmbedder",
    "Embedder",
    "RemoteEmbedder",
    "Role",
    "identity",
    "prefixes",
]
