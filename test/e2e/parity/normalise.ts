/** Something in kubectl's output that differs between two runs of the same command without anybody having done wrong. */
export interface Rule {
  /** What is hidden, in one word of the report. */
  readonly name: string;
  readonly pattern: RegExp;
  readonly put: string | ((...match: string[]) => string);
  readonly why: string;
}

/** One of the two ways that a command is run. */
export interface Side {
  /** Namespace that the command works in; the two are equally long, so that columns stay where they are. */
  readonly namespace: string;
  /** URLs of both kubeconfigs: the API server names itself in some answers. */
  readonly servers: readonly string[];
}

const base = 'the same command is run in two namespaces, so that neither run finds what the other has made';

/** What is hidden, in this order; everything else has to be the same to the character. */
const RULES: readonly Rule[] = [
  {
    name: 'uid',
    pattern: /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g,
    put: '<uid>',
    why: 'each object has its own',
  },
  {
    name: 'time',
    pattern: /\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z/g,
    put: '<time>',
    why: 'objects of the two namespaces were made one after the other',
  },
  {
    name: 'date',
    pattern: /\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} \+0000/g,
    put: '<date>',
    why: 'the same, as describe prints it',
  },
  {
    name: 'resourceVersion',
    pattern: /((?:resourceVersion|Resource Version)"?: ?"?)\d+/g,
    put: '$1<version>',
    why: 'a counter of the whole cluster',
  },
  {
    name: 'age',
    pattern: / {2,}(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?(?: ago\)?)?(?=$|\s)(?<=[dhms]|ago|ago\))/gm,
    put: '  <age>',
    why: 'it grows, and with it the width of its column',
  },
  {
    name: 'pod address',
    pattern: /\b10\.(?:8[89]|9[0-5])\.\d{1,3}\.\d{1,3}\b/g,
    put: '<address>',
    why: 'each pod has its own',
  },
  {
    name: 'service address',
    pattern: /\b10\.96\.\d{1,3}\.\d{1,3}\b/g,
    put: '<address>',
    why: 'each service has its own',
  },
  {
    name: 'generated name',
    pattern: /\b(app-[0-9a-f]{7,10}|made)-[a-z0-9]{5}\b/g,
    put: '$1-<name>',
    why: 'the API server, or the controller of a ReplicaSet, makes names of pods up',
  },
  {
    name: 'container',
    pattern: /\b[0-9a-f]{64}\b/g,
    put: '<container>',
    why: 'the container runtime makes ids up',
  },
  {
    name: 'temporary file',
    pattern: /\/tmp\/(LIVE|MERGED)-\d+\//g,
    put: '/tmp/$1/',
    why: 'kubectl diff makes folders',
  },
  {
    name: 'written at',
    pattern: /\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}\.\d+ \+0000/g,
    put: '<written>',
    why: 'when kubectl diff wrote its files',
  },
  {
    name: 'padding',
    pattern: /(?<=\S)(?: {2,}| +$)/gm,
    put: '  ',
    why: 'a column is as wide as the ages and addresses in it; what stands in it is compared',
  },
];

/** Puts the same word for whatever may differ. `seen` collects the names of the rules that did something. */
export function normalise(text: string, side: Side, seen?: Set<string>): string {
  const own: Rule[] = [
    ...side.servers.map((server) => ({
      name: 'server',
      pattern: literal(server),
      put: '<server>',
      why: 'the two kubeconfigs differ in it',
    })),
    { name: 'namespace', pattern: literal(side.namespace), put: '<namespace>', why: base },
  ];
  return [...own, ...RULES].reduce((before, { name, pattern, put }) => {
    const after = before.replaceAll(pattern, put as string);
    if (after !== before) seen?.add(name);
    return after;
  }, text);
}

/** Names of all rules. */
export const RULE_NAMES: readonly string[] = ['server', 'namespace', ...RULES.map(({ name }) => name)];

function literal(text: string): RegExp {
  return new RegExp(RegExp.escape(text), 'g');
}
