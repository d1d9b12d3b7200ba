import { moment } from '#schema/api/endpoint.ts';
import type { Kind } from '#schema/resources/kind.ts';
import type { Stored } from '../store/kinds/stored.ts';

/** A resource as the API shows it. */
export function render(kind: Kind, stored: Stored<object, object>): Record<string, unknown> {
  const self = `${kind.path}/${stored.id}`;
  return {
    id: stored.id,
    kind: kind.kind,
    metadata: {
      name: stored.name,
      generation: stored.generation,
      resourceVersion: String(stored.resourceVersion),
      createdAt: moment(stored.createdAt),
      finalizers: stored.finalizers,
      deletedAt: stored.deletedAt === null ? null : moment(stored.deletedAt),
    },
    spec: stored.spec,
    status: { ...stored.status, conditions: stored.conditions },
    links: {
      self,
      ...Object.fromEntries(Object.entries(kind.links).map(([name, path]) => [name, path.replace('{id}', stored.id)])),
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
