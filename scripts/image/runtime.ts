/**
 * How Node runs the agent, wherever it does: in the image, in what `agent/deploy/Dockerfile` builds, and in the tests that bound its memory. What each saves was
 * measured (`schema/decisions/0009-agent-memory.md`).
 */
export const NODE_FLAGS: readonly string[] = [
  // The agent streams: what it allocates is dead at once, and a large young generation only keeps it longer.
  '--max-semi-space-size=2',
  '--max-old-space-size=96',
  // undici parses HTTP in WebAssembly; to optimise that takes V8 28 MiB for a moment, of which a third is never given back.
  '--no-wasm-tier-up',
  '--no-wasm-dynamic-tiering',
];

/** One malloc arena keeps freed buffers from being scattered over many. */
export const ENVIRONMENT: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: '1' };
