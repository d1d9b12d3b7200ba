/** What the environment asks for; workerd has none of it. */
const env = (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env ?? {};

function whole(name: string): number | undefined {
  const text = env[name];
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,12}$/.test(text)) throw new Error(`${name} must be a whole number`);
  return Number(text);
}

const inNode = (globalThis as { navigator?: { userAgent?: string } }).navigator?.userAgent !== 'Cloudflare-Workers';

/** All frames of a run together: a million in Node, and a tenth of it in workerd, where the same code runs. */
const FRAMES = whole('OUTRIDER_FUZZ_FRAMES') ?? (inNode ? 1_000_000 : 100_000);

/** The part of the frames that one test takes. */
export const share = (part: number): number => Math.ceil(FRAMES * part);

/** Where all choices of a run come from; `OUTRIDER_FUZZ_SEED` runs one again. */
export const SEED = whole('OUTRIDER_FUZZ_SEED') ?? Math.floor(Math.random() * 2 ** 31);

console.log(`OUTRIDER_FUZZ_SEED=${SEED}`);
