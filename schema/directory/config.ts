import * as z from 'zod';

/** A control character in a name is never meant, and a NUL ends it for servers written in C. A lone surrogate has no UTF-8. */
const Text = z
  .string()
  .regex(/^\P{Cc}*$/u, 'no control characters')
  .refine((text) => text.isWellFormed(), 'must be Unicode');

/** A name of DNS, or an address; what the server's certificate is issued to. */
const Host = z.union([z.hostname().max(253), z.ipv4(), z.ipv6()]);

/** Certificates in PEM and nothing else; a few authorities fit. */
const Certificates = z
  .string()
  .max(32_768)
  .regex(
    /^(?:\s*-----BEGIN CERTIFICATE-----\r?\n[A-Za-z0-9+/=\r\n]+-----END CERTIFICATE-----\s*)+$/,
    'certificates in PEM are expected',
  );

/** LDAP takes an empty password for no password, and then any name (RFC 4513 §5.1.2): there is no such thing here. */
export const DirectoryPassword = z
  .string()
  .min(1)
  .max(1024)
  .refine((text) => !text.includes('\0') && text.isWellFormed(), 'must be Unicode without NUL');

/** What a person types: `sAMAccountName` has at most 256 characters, `userPrincipalName` is held to the same here. */
export const LoginName = Text.min(1).max(256);

/** Part of a name to look for. */
export const SearchText = Text.min(1).max(128);

/** `objectGUID` as Microsoft's tools write it: lower case, with hyphens. */
export const ObjectGuid = z.string().regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);

/** How an Active Directory is reached and read. */
export const DirectoryConfig = z.strictObject({
  servers: z
    .array(Host)
    .min(1)
    .max(8)
    .describe('Domain controllers by the names of their certificates; tried in this order'),
  port: z.int().min(1).max(65_535).describe('636 for ldaps, 389 for starttls, where nobody changed it'),
  security: z.enum(['ldaps', 'starttls']).describe('TLS from the first octet, or before anything else is said'),
  ca: Certificates.nullable().describe('The only authorities to trust, in PEM; null: the public ones'),
  searchBase: Text.min(1)
    .max(1024)
    .describe('Distinguished name below which people and groups are, such as DC=corp,DC=example'),
  bindName: Text.regex(/[=@\\]/, 'a distinguished name, or name@domain')
    .max(1024)
    .describe('The account that searches'),
  bindPassword: DirectoryPassword,
  loginAttribute: z.enum(['sAMAccountName', 'userPrincipalName']).describe('What people type as their name'),
  nestedGroups: z
    .boolean()
    .default(true)
    .describe('Whether members of a group are members of the groups that it is in'),
  pageSize: z.int().min(10).max(1000).default(500),
});
export type DirectoryConfig = z.output<typeof DirectoryConfig>;
