import { buffer } from 'node:stream/consumers';
import { listenTls, type Listening, type Tls } from '../sign-in/tls.ts';
import { GitHub, type App } from './github.ts';

/** A stand-in for a GitHub Enterprise Server. */
export interface GitHubServer extends Listening {
  readonly gitHub: GitHub;
}

export async function startGitHub(tls: Tls, app: App): Promise<GitHubServer> {
  const gitHub = new GitHub(app);
  const listening = await listenTls(tls, (request, response) => {
    const answer = async (): Promise<void> => {
      const { method = 'GET', url = '/' } = request;
      const body = await buffer(request);
      const headers = Object.entries(request.headers).map(([name, value]): [string, string] => [name, String(value)]);
      const whole = new Request(new URL(url, listening.url), {
        method,
        headers,
        ...(body.byteLength === 0 ? {} : { body: new Uint8Array(body) }),
      });
      const { status, headers: fields, ...rest } = await responseOf(gitHub, whole);
      response.writeHead(status, fields).end(rest.body);
    };
    answer().catch(() => response.destroy());
  });
  return { ...listening, gitHub };
}

async function responseOf(
  gitHub: GitHub,
  request: Request,
): Promise<{ status: number; headers: Record<string, string>; body: Uint8Array }> {
  const answer = await gitHub.handle(request);
  return {
    status: answer.status,
    headers: Object.fromEntries(answer.headers),
    body: new Uint8Array(await answer.arrayBuffer()),
  };
}
