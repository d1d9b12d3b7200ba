/** Methods without effect (RFC 9110 §9.2.1), as API servers have them: no TRACE, which nobody serves. */
export const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
