import { REGISTRATION_TOKEN_LENGTH } from '#schema/api/clusters/connect.ts';
import { moment } from '#schema/api/endpoint.ts';
import type {
  createRegistrationToken,
  deleteRegistrationToken,
  listRegistrationTokens,
} from '#schema/api/clusters/registration-tokens.ts';
import { OutriderError, unknownCluster } from '#schema/errors.ts';
import { newRegistrationTokenId, randomBase32 } from '#schema/ids.ts';
import { hashSecret } from '../../authn/secret.ts';
import {
  addRegistrationToken,
  listRegistrationTokens as storedTokens,
  revokeRegistrationToken,
} from '../../store/registration-tokens.ts';
import { findCluster } from '../../store/clusters.ts';
import type { Handler } from '../handler.ts';
import { importCommand } from './import-command.ts';
import { onlyOwners } from '../permission.ts';

/** Long enough to find the right terminal. */
const LIFE_SECONDS = 3600;

export const handleCreateRegistrationToken: Handler<typeof createRegistrationToken> = async (
  { params, body },
  { db, config, now },
  { principal },
) => {
  const id = newRegistrationTokenId();
  const secret = randomBase32(REGISTRATION_TOKEN_LENGTH);
  const expiresAt = now + LIFE_SECONDS;
  // Not before their own token, which what ended the older ones did not end.
  const createdAt = Math.max(now, principal.issuedAt);
  const added = await addRegistrationToken(db, {
    id,
    clusterId: params.cluster,
    hash: await hashSecret(secret),
    createdBy: principal.user,
    createdAt,
    expiresAt,
  });
  if (!added) throw (await findCluster(db, params.cluster)) === null ? unknownCluster() : onlyOwners();
  const url = `${config.publicUrl}/import/${secret}.yaml`;
  return {
    id,
    createdAt: moment(createdAt),
    expiresAt: moment(expiresAt),
    importUrl: url,
    importCommand: importCommand({ url, publicCa: config.publicCa, caFile: body.caFile }),
  };
};

export const handleListRegistrationTokens: Handler<typeof listRegistrationTokens> = async ({ params }, { db, now }) => {
  const tokens = await storedTokens(db, params.cluster, now);
  return {
    items: tokens.map(({ id, createdAt, expiresAt, usedAt }) => ({
      id,
      createdAt: moment(createdAt),
      expiresAt: moment(expiresAt),
      usedAt: usedAt === null ? null : moment(usedAt),
    })),
  };
};

export const handleDeleteRegistrationToken: Handler<typeof deleteRegistrationToken> = async (
  { params },
  { db, now },
) => {
  const revoked = await revokeRegistrationToken(db, {
    id: params.registrationToken,
    clusterId: params.cluster,
    now,
  });
  if (!revoked) throw new OutriderError('not_found', 'the cluster has no such registration token');
  return undefined;
};
