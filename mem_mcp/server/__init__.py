"""The MCP edge: tools, resources and prompts over one memory."""
