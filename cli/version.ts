/** The CLI's own version, told to the plane as User-Agent; `version.test.ts` holds it to package.json. */
export const CLI_VERSION = '0.1.0';
