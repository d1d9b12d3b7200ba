/** The agent's own version, told to the plane in HELLO and to API servers as User-Agent; `version.test.ts` holds it to package.json. */
export const AGENT_VERSION = '0.1.0';

/** How the agent names itself to the API server (shown in audit logs beside the impersonated user). */
export const USER_AGENT = `outrider-agent/${AGENT_VERSION}`;
