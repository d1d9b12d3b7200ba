import { z } from 'zod';

/** The part of an esbuild metafile that is judged (https://esbuild.github.io/api/#metafile). */
export const metafileSchema = z.looseObject({
  outputs: z.record(
    z.string(),
    z.looseObject({
      bytes: z.int().nonnegative(),
      entryPoint: z.string().optional(),
      imports: z.array(z.looseObject({ path: z.string(), external: z.boolean().optional() })),
      inputs: z.record(z.string(), z.looseObject({ bytesInOutput: z.int().nonnegative() })),
    }),
  ),
});

export type Metafile = z.infer<typeof metafileSchema>;

/** What a bundle may hold. Text rules judge what a file asks for; this judges what is shipped. */
export interface BundlePolicy {
  readonly name: string;
  /** npm packages that it is made of, each with the job that it does. Anything else is refused. */
  readonly packages: Readonly<Record<string, string>>;
  /** Packages that one might think of, with the reason against them. */
  readonly refused: Readonly<Record<string, string>>;
  /** Folders of this project that it is made of. */
  readonly folders: readonly string[];
  /** Tells whether the runtime supplies a module, or the bundle does without it. */
  readonly supplied: (module: string) => boolean;
  readonly maxBytes: number;
}

/** The package an input of the bundle comes from: the last one, where packages nest. */
function packageOf(input: string): string | undefined {
  const [, ...parts] = input.split('node_modules/');
  const path = parts.at(-1);
  if (path === undefined) return undefined;
  const [scope = '', name = ''] = path.split('/');
  return scope.startsWith('@') ? `${scope}/${name}` : scope;
}

/** Judges one input; `undefined` when it may be there. */
function refusal(input: string, policy: BundlePolicy): string | undefined {
  const found = packageOf(input);
  if (found !== undefined) {
    if (found in policy.packages) return undefined;
    return `package ${found}: ${policy.refused[found] ?? 'unknown here; if it is needed, list it with the job that it does'}`;
  }
  if (policy.folders.some((folder) => input.startsWith(`${folder}/`))) return undefined;
  return `file ${input}: made of ${policy.folders.join(', ')} only`;
}

/** Judges a bundle by its metafile; returns one line per fault. */
export function auditBundle({ outputs }: Metafile, policy: BundlePolicy): string[] {
  const entries = Object.values(outputs).filter(({ entryPoint }) => entryPoint !== undefined);
  if (entries.length !== 1) return [`${policy.name}: expected one entry point, found ${entries.length}`];
  const faults = new Set<string>();
  for (const { bytes, imports, inputs } of entries) {
    if (bytes > policy.maxBytes) faults.add(`${bytes} bytes; the cap is ${policy.maxBytes}`);
    for (const { path, external } of imports) {
      if (external === true && !policy.supplied(path)) faults.add(`module ${path}: its runtime has none`);
    }
    for (const [input, { bytesInOutput }] of Object.entries(inputs)) {
      // What was shaken out is listed with no bytes.
      const fault = bytesInOutput > 0 ? refusal(input, policy) : undefined;
      if (fault !== undefined) faults.add(fault);
    }
  }
  return [...faults].map((fault) => `${policy.name}: ${fault}`);
}
