/** Of everything in the agent's manifest. */
export const LABELS = {
  'app.kubernetes.io/name': 'outrider-agent',
  'app.kubernetes.io/component': 'cluster-agent',
  'app.kubernetes.io/part-of': 'outrider',
} as const;

/** What selects the pods: a Deployment's selector can never be changed. */
export const SELECTOR = {
  'app.kubernetes.io/name': 'outrider-agent',
  'app.kubernetes.io/component': 'cluster-agent',
} as const;
