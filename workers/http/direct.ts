import { directFault } from '#schema/directory/direct.ts';
import { DIRECTORY_DEADLINE_MS, type DirectoryAnswer, type DirectoryQuestion } from '#schema/directory/questions.ts';
import { OutriderError } from '#schema/errors.ts';

/**
 * Asks a directory from the Worker. What may be dialled is looked at again, whatever let the configuration in.
 * @throws OutriderError directory_unavailable: it may not be dialled from here
 */
export async function askFromHere(question: DirectoryQuestion): Promise<DirectoryAnswer> {
  const fault = directFault(question.directory);
  if (fault !== null) throw new OutriderError('directory_unavailable', `${fault.path.join('.')}: ${fault.message}`);
  // Loaded by the first question: most isolates are never asked one.
  const { connect } = await import('cloudflare:sockets');
  const { answerOverStreams } = await import('#ldap/streams.ts');
  return await answerOverStreams(question, connect, DIRECTORY_DEADLINE_MS);
}
