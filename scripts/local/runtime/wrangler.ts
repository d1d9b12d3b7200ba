import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { z } from 'zod';
import { Problem, reasonOf } from '../../lib/problem.ts';

const wranglerSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]+$/),
  main: z.string(),
  compatibility_date: z.iso.date(),
  compatibility_flags: z.array(z.string()).default([]),
  // As our own bundler has it.
  keep_names: z.literal(false).optional(),
  d1_databases: z
    .array(z.looseObject({ binding: z.string(), migrations_dir: z.string().default('migrations') }))
    .default([]),
  durable_objects: z
    .strictObject({ bindings: z.array(z.strictObject({ name: z.string(), class_name: z.string() })) })
    .default({ bindings: [] }),
  migrations: z
    .array(z.strictObject({ tag: z.string(), new_sqlite_classes: z.array(z.string()).default([]) }))
    .default([]),
  // On one machine a folder has its place.
  r2_buckets: z.array(z.looseObject({ binding: z.literal('AUDIT_BUCKET') })).optional(),
  vars: z.record(z.string(), z.string()).default({}),
  secrets: z.strictObject({ required: z.array(z.string()) }).default({ required: [] }),
  // What Cloudflare alone acts on.
  $schema: z.unknown().optional(),
  account_id: z.unknown().optional(),
  limits: z.unknown().optional(),
  observability: z.unknown().optional(),
  placement: z.unknown().optional(),
  preview_urls: z.unknown().optional(),
  routes: z.unknown().optional(),
  workers_dev: z.unknown().optional(),
});

/** What the Worker asks of its home, from wrangler.toml: the same file that a deployment to Cloudflare reads. */
export interface WorkerManifest {
  readonly name: string;
  /** Absolute path of the main module. */
  readonly main: string;
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
  readonly databases: readonly { readonly binding: string; readonly migrations: string }[];
  readonly objects: readonly { readonly binding: string; readonly className: string }[];
  readonly vars: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
}

/**
 * Reads wrangler.toml of a project.
 *
 * @throws {Problem} when it is unreadable or asks for something that one machine does not supply.
 */
export async function readManifest(project: string): Promise<WorkerManifest> {
  const path = join(project, 'wrangler.toml');
  try {
    const file = wranglerSchema.parse(parse(await readFile(path, 'utf8')));
    const sqlite = new Set(file.migrations.flatMap((migration) => migration.new_sqlite_classes));
    const other = file.durable_objects.bindings.find((binding) => !sqlite.has(binding.class_name));
    if (other) throw new Error(`class ${other.class_name} is in no new_sqlite_classes`);
    return {
      name: file.name,
      main: join(project, file.main),
      compatibilityDate: file.compatibility_date,
      compatibilityFlags: file.compatibility_flags,
      databases: file.d1_databases.map(({ binding, migrations_dir }) => ({
        binding,
        migrations: join(project, migrations_dir),
      })),
      objects: file.durable_objects.bindings.map(({ name, class_name }) => ({ binding: name, className: class_name })),
      vars: file.vars,
      secrets: file.secrets.required,
    };
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : reasonOf(error);
    throw new Problem(`cannot use ${path} on one machine: ${reason}`, { cause: error });
  }
}
