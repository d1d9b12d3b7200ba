import { REGISTRATION_TOKEN_LENGTH } from '#schema/api/clusters/connect.ts';
import { unknownCluster } from '#schema/errors.ts';
import { newRegistrationTokenId, randomBase32 } from '#schema/ids.ts';
import { RegistrationTokenKind } from '#schema/resources/kinds/registration-tokens.ts';
import { importCommand } from '../../api/clusters/import-command.ts';
import { onlyOwners } from '../../api/permission.ts';
import type { Route } from '../../api/route.ts';
import { hashSecret } from '../../authn/secret.ts';
import { findCluster } from '../../store/clusters.ts';
import {
  listRegistrationTokens,
  readRegistrationToken,
  removeRegistrationToken,
} from '../../store/kinds/registration-tokens.ts';
import { addRegistrationToken } from '../../store/registration-tokens.ts';
import { mount } from '../mount.ts';

/** Long enough to find the right terminal. */
const LIFE_SECONDS = 3600;

export const registrationTokenRoutes: Route[] = mount(
  RegistrationTokenKind,
  {
    list: async (db, request, { within: { cluster }, now }) =>
      await listRegistrationTokens(db, { cluster, now }, request),
    find: async (db, id, { within: { cluster }, now }) => await readRegistrationToken(db, id, { cluster, now }),
    remove: removeRegistrationToken,
  },
  {
    async create({ spec, within: { cluster } }, { db, config, now }, { principal }) {
      const id = newRegistrationTokenId();
      const secret = randomBase32(REGISTRATION_TOKEN_LENGTH);
      const added = await addRegistrationToken(db, {
        id,
        clusterId: cluster,
        hash: await hashSecret(secret),
        createdBy: principal.user,
        // Not before their own token, which what ended the older ones did not end.
        createdAt: Math.max(now, principal.issuedAt),
        expiresAt: now + LIFE_SECONDS,
      });
      if (!added) throw (await findCluster(db, cluster)) === null ? unknownCluster() : onlyOwners();
      const url = `${config.publicUrl}/import/${secret}.yaml`;
      const command = importCommand({ url, publicCa: config.publicCa, caFile: spec.caFile });
      return { id, once: { importUrl: url, importCommand: command } };
    },
    actions: {},
  },
);
