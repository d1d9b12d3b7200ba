import { AndFilter, EqualityFilter, ExtensibleFilter, type Filter, OrFilter, SubstringFilter } from 'ldapts';
import type { DirectoryConfig } from '#schema/directory/config.ts';

// Filters are made as trees and go out as octets (RFC 4511 §4.5.1.7): what a person typed is never part of a text that is parsed, so there is nothing to escape and nothing to
// inject. Their `toString`, escaped as RFC 4515 §3 has it, is for tests.

/** MS-SAMR §2.2.1.9, SAM_USER_OBJECT: people, and neither computers nor trusts. */
const USER_OBJECT = String(0x30000000);

/** MS-ADTS §2.2.12, GROUP_TYPE_SECURITY_ENABLED. Windows grants nothing by a distribution list, which its members may often join by themselves: neither do we. */
const SECURITY_ENABLED = String(0x80000000);

/** MS-ADTS §3.1.1.3.4.4: all bits are set; a chain of memberships leads there. */
const BIT_AND = '1.2.840.113556.1.4.803';
const IN_CHAIN = '1.2.840.113556.1.4.1941';

const and = (...filters: Filter[]): Filter => new AndFilter({ filters });
const or = (...filters: Filter[]): Filter => new OrFilter({ filters });
const equal = (attribute: string, value: string | Buffer): Filter => new EqualityFilter({ attribute, value });
const begins = (attribute: string, initial: string): Filter => new SubstringFilter({ attribute, initial });

const isPerson = (): Filter => equal('sAMAccountType', USER_OBJECT);
const isSecurityGroup = (): Filter =>
  and(
    equal('objectClass', 'group'),
    new ExtensibleFilter({ matchType: 'groupType', rule: BIT_AND, value: SECURITY_ENABLED }),
  );

/** The person who signs in as `name`. */
export const personNamed = (attribute: DirectoryConfig['loginAttribute'], name: string): Filter =>
  and(isPerson(), equal(attribute, name));

/** The person of an `objectGUID`, in its octets. */
export const personOf = (objectGuid: Buffer): Filter => and(isPerson(), equal('objectGUID', objectGuid));

/** The group of an `objectSid`, in its octets. */
export const groupOf = (objectSid: Buffer): Filter => and(isSecurityGroup(), equal('objectSid', objectSid));

/** The groups that any of these entries is a member of, by chains of groups too where `nested`. */
export function groupsOf(members: readonly string[], nested: boolean): Filter {
  const has = (dn: string): Filter =>
    nested ? new ExtensibleFilter({ matchType: 'member', rule: IN_CHAIN, value: dn }) : equal('member', dn);
  return and(isSecurityGroup(), or(...members.map(has)));
}

/** People and groups with a name that begins so. */
export const named = (text: string): Filter =>
  and(
    or(isPerson(), isSecurityGroup()),
    or(...['sAMAccountName', 'userPrincipalName', 'displayName', 'cn'].map((attribute) => begins(attribute, text))),
  );
