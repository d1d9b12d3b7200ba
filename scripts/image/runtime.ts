/**
 * How Node runs the agent, wherever it does: in the image, in what `agent/deploy/Dockerfile` builds, and in the tests that bound its memory. What each saves was
 * measured (`schema/decisions/0009-agent-memory.md`).
 */
export const NODE_FLAGS: readonly string[] = [
  // The agent streams: what it allocates is dead at once. A larger young generation only keeps it longer, and with it the buffers of what went through, which lie outside the heap.
  '--max-semi-space-size=1',
  '--max-old-space-size=96',
  // undici parses HTTP in WebAssembly, which V8 by default optimises after three or four answers. That takes 28 MiB for a moment, of which malloc keeps 10: worth it for an
  // agent that is busy, so after some hundreds of answers. The unit is octets of code executed, about; the default is 13,000,000.
  '--wasm-tiering-budget=2000000000',
  // Buffers of what went through are freed by this thread and not by one beside it, which would stand in line for the one malloc arena with it: downloads take 1.5 ms of processor time for a megabyte
  // instead of 2.5, and what stays resident after load is a tenth less.
  '--no-concurrent-array-buffer-sweeping',
  // The heap is 13 MiB, so V8 by default collects all of it for every 10 MiB of buffers, forty times a second under an upload, though a scavenge frees them just as well. With this much room the
  // scavenge comes first: an upload takes 0.6 ms of processor time for a megabyte instead of 1.3, a download 0.8 instead of 1.2. More (200) gives little, and a tenth more stays resident.
  '--heap-growing-percent=150',
];

/**
 * One malloc arena keeps freed buffers from being scattered over many. Thresholds that are set stay as they are: left alone, they grow with the first large buffer that is freed, and from then on buffers
 * of tens of MiB are kept (mallopt(3), M_MMAP_THRESHOLD). Buffers of 32 KiB and more (messages, and what V8's compilers work in) go back to the system when they are freed: 3 MiB less stays resident, for no processor
 * time that could be measured. With 16 KiB, which is every read of a connection, bulk takes a third more.
 */
export const ENVIRONMENT: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_TRIM_THRESHOLD_: String(128 * 1024),
  MALLOC_MMAP_THRESHOLD_: String(32 * 1024),
};
