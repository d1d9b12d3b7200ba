/**
 * Names in a cluster that the import manifest makes and the agent relies on. A change here breaks clusters that were imported before it.
 */
export const NAMESPACE = 'outrider-system';

/** Bootstrap account of the pods: may only ask for tokens of the two others (`design.md` §3). */
export const AGENT_ACCOUNT = 'outrider-agent';
/** Sends people's requests, as them. */
export const PROXY_ACCOUNT = 'outrider-proxy';
/** Manages what Outrider owns. */
export const MANAGER_ACCOUNT = 'outrider-manager';

/** Key and credential, written by the agent itself. */
export const AGENT_SECRET = 'outrider-agent';
export const REGISTRATION_SECRET = 'outrider-registration';
export const AGENT_CONFIG = 'outrider-agent';
export const AGENT_DEPLOYMENT = 'outrider-agent';
