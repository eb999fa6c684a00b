// The TypeScript SDK's clients, of both generations, over all three transports.
//
//     node clients.mjs MEM_MCP HTTP_URL SSE_URL      # from a folder that has the SDKs installed
//
// Each lists the tools, remembers, and recalls what it remembered. Fails with the first that cannot.
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { Client as OldClient } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport as OldSSE } from "@modelcontextprotocol/sdk/client/sse.js";
import { StdioClientTransport as OldStdio } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as OldHTTP } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [program, http, sse] = process.argv.slice(2);
const started = { command: program, args: ["serve"], env: { ...process.env } };
const newest = { versionNegotiation: { mode: "auto" } };
const ways = [
  ["new client, stdio", Client, {}, () => new StdioClientTransport(started)],
  ["new client, stdio, newest protocol", Client, newest, () => new StdioClientTransport(started)],
  ["new client, http", Client, {}, () => new StreamableHTTPClientTransport(new URL(http))],
  ["new client, http, newest protocol", Client, newest, () => new StreamableHTTPClientTransport(new URL(http))],
  ["new client, sse", Client, {}, () => new SSEClientTransport(new URL(sse))],
  ["old client, stdio", OldClient, {}, () => new OldStdio(started)],
  ["old client, http", OldClient, {}, () => new OldHTTP(new URL(http))],
  ["old client, sse", OldClient, {}, () => new OldSSE(new URL(sse))],
];

for (const [way, Kind, options, transport] of ways) {
  const client = new Kind({ name: "clients.mjs", version: "1" }, options);
  await client.connect(transport());
  const call = async (name, args) => {
    const answer = await client.callTool({ name, arguments: args });
    if (answer.isError) throw new Error(`${way}: ${name}: ${JSON.stringify(answer.content)}`);
    return answer.structuredContent;
  };
  const { tools } = await client.listTools();
  if (!tools.some((tool) => tool.name === "recall")) throw new Error(`${way}: no tool recall`);
  const text = `The ${way} was served tea.`;
  await call("remember", { content: text });
  const { memories } = await call("recall", { query: `Was the ${way} served tea?` });
  if (!memories.some((memory) => memory.text === text))
    throw new Error(`${way}: what it remembered was not recalled: ${JSON.stringify(memories)}`);
  await client.close();
  console.log(`${way}: ok`);
}
process.exit(0);
