/** What the OpenAPI document says about its sections, in their order. */
export const TAGS: readonly { readonly name: string; readonly description: string }[] = [
  { name: 'setup', description: 'The first administrator, and what the operator repairs' },
  { name: 'auth', description: 'Signing in and out, and the providers that people sign in with' },
  { name: 'pages', description: 'What a person sees in a browser' },
  { name: 'me', description: 'Who is signed in' },
  { name: 'users', description: 'People' },
  { name: 'groups', description: 'Groups of people' },
  { name: 'principals', description: 'People and groups as sign-in providers know them' },
  { name: 'tokens', description: 'One’s own tokens' },
  { name: 'clusters', description: 'Clusters, and who has a role in them' },
  { name: 'global-roles', description: 'Roles in the plane itself' },
  { name: 'global-role-bindings', description: 'Who has which global role' },
  { name: 'connect', description: 'What agents call' },
  { name: 'audit', description: 'What was changed, by whom' },
  { name: 'settings', description: 'Settings of the plane' },
];

/** The section of an endpoint: the first segment of its path that is not the version; of what has none, `pages`. */
export const tagOf = (path: string): string =>
  path.startsWith('/v1/') || path.startsWith('/connect/') ? (/^\/(?:v1\/)?([^/]+)/.exec(path)?.[1] ?? '') : 'pages';

/** Parameters whose schema does not describe them: a name means the same on every path. */
const PLACES = new Map([
  ['user', 'Id of a person'],
  ['group', 'Id of a group'],
  ['token', 'Id of a token, which is no secret'],
  ['cluster', 'Id of a cluster'],
  ['role', 'Id of a global role'],
  ['binding', 'Id of a binding of a global role'],
  ['registrationToken', 'Id of a registration token'],
  ['provider', 'Id of a sign-in provider'],
  ['principal', 'A person or a group as a provider knows them'],
  ['name', 'Only what has this name'],
  ['username', 'Only who has this login name'],
  ['source', 'Only what comes from there'],
  ['administrator', 'Only administrators, or only others'],
  ['enabled', 'Only who may sign in, or what is signed in through; or only others'],
  ['type', 'Only what is of this type'],
  ['builtIn', 'Only roles that every plane has, or only those that were made'],
  ['type', 'Only those of this type'],
  ['readOnly', 'Only tokens that read, or only others'],
  ['readonly', 'The token in it may only read'],
  ['ttl', 'How long the token in it is good for, seconds'],
  ['query', 'Part of a name'],
  ['limit', 'How many at most'],
  ['returnTo', 'Where to go afterwards: a path of this plane'],
  ['user_code', 'The code that the device shows (RFC 8628 §3.3)'],
]);

/** What a parameter is, where its name says it; else undefined, which the linter refuses. */
export const describePlace = (name: string): string | undefined => PLACES.get(name);
