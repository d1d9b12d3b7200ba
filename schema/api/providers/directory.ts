import * as z from 'zod';
import { DirectoryConfig, DirectoryPassword, LoginName } from '../../directory/config.ts';
import { DirectoryPerson, DirectoryProblem } from '../../directory/questions.ts';
import { clusterParams } from '../clusters/clusters.ts';
import { endpoint } from '../endpoint.ts';

export const testDirectory = endpoint({
  operation: 'testDirectory',
  summary:
    "Ask an Active Directory through a cluster's agent, with a configuration that is kept nowhere; with a name and a password also whom they sign in. Whoever administers that cluster could see both passwords in passing",
  method: 'POST',
  path: '/v1/clusters/{cluster}/directory/test',
  who: 'administrator',
  scope: 'anything',
  params: clusterParams,
  body: z
    .strictObject({
      directory: DirectoryConfig,
      name: LoginName.optional(),
      password: DirectoryPassword.optional(),
    })
    .refine(({ name, password }) => (name === undefined) === (password === undefined), {
      error: 'a name goes with a password',
    }),
  status: 200,
  result: z.object({
    problem: DirectoryProblem.nullable().describe('Null: the directory answers'),
    server: z.string().nullable().describe('The server that answered'),
    person: DirectoryPerson.nullable().describe(
      'Whom the name and the password sign in; null: nobody, or no name was given',
    ),
  }),
  errors: [
    'tunnel_down',
    'agent_outdated',
    'agent_timeout',
    'agent_failed',
    'overloaded',
    'too_large',
    'unknown_cluster',
  ],
});
