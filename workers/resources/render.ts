import { moment } from '#schema/api/endpoint.ts';
import type { Kind } from '#schema/resources/kind.ts';
import type { Stored } from '../store/kinds/common/stored.ts';

/** A resource as the API shows it. @param within what stands in the path of its collection */
export function render(kind: Kind, stored: Stored<object, object>, within: object): Record<string, unknown> {
  const values = new Map<string, unknown>([...Object.entries(within), ['id', stored.id]]);
  const filled = (path: string): string =>
    path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(values.get(name))));
  const self = filled(`${kind.path}/{id}`);
  return {
    id: stored.id,
    kind: kind.kind,
    metadata: {
      ...(kind.name === null ? {} : { name: stored.name }),
      generation: stored.generation,
      resourceVersion: String(stored.resourceVersion),
      createdAt: moment(stored.createdAt),
      finalizers: stored.finalizers,
      deletedAt: stored.deletedAt === null ? null : moment(stored.deletedAt),
      ...stored.metadata,
    },
    spec: stored.spec,
    status: { ...stored.status, conditions: stored.conditions },
    links: {
      self,
      ...Object.fromEntries(Object.entries(kind.links).map(([name, path]) => [name, filled(path)])),
      ...Object.fromEntries(Object.keys(kind.actions).map((name) => [name, `${self}/${name}`])),
    },
  };
}

/** What of a resource was asked for, by paths of one or two names; and its id. */
export function select(resource: Readonly<Record<string, unknown>>, paths: readonly string[]): Record<string, unknown> {
  const chosen: Record<string, unknown> = { id: resource['id'] };
  for (const path of paths) {
    const [part = '', field] = path.split('.');
    const whole = resource[part];
    if (field === undefined) chosen[part] = whole;
    else if (isObject(whole)) chosen[part] = { ...asObject(chosen[part]), [field]: whole[field] };
  }
  return chosen;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const asObject = (value: unknown): Record<string, unknown> => (isObject(value) ? value : {});
