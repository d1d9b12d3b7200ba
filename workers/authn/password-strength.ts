import { ZxcvbnFactory } from '@zxcvbn-ts/core';
import { adjacencyGraphs } from '@zxcvbn-ts/language-common';

/**
 * How many guesses a password has to withstand. The throttle lets through 100 an hour, and whoever has stolen a hash makes some seven a second on one processor (`password.ts`): that is
 * four years of it.
 */
const MIN_GUESSES = 1e9;

/**
 * What people make long passwords of. A list of whole passwords would add a third to the Worker's size, and few in it are of twelve characters; the estimator
 * finds these words within a password, in any case, reversed, with digits for letters and something behind them. Names of the product and of its trade are here as NIST SP 800-63B
 * §3.1.1.2 asks ("context-specific words").
 */
const WORDS = `
password passwort passwd pass admin administrator root user guest login welcome hello letmein changeme change secret private default master access system manager service operator
security temporary temp test testing example sample company office business internet computer server network database cluster clusters kubernetes kubectl docker container cloudflare
cloud linux windows google apple amazon microsoft outrider rancher plane edge worker production staging development
qwerty qwertz azerty asdfgh zxcvbn qazwsx qazwsxedc qazwsxedcrfv zaq12wsx zaq12wsxcde3 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y q1w2e3r4 q1w2e3r4t5 q1w2e3r4t5y6 1qaz2wsx 1qaz2wsx3edc
123qwe 123qweasd 123qweasdzxc qweasd qweasdzxc abc123 a1b2c3d4 a1b2c3d4e5f6 trustno1 111222333 112233 121212 123123 123321 654321 696969 000000 999999
iloveyou iloveu love loveme lovely baby babygirl angel angels princess prince queen king sunshine rainbow flower butterfly summer winter spring autumn freedom forever whatever nothing
friend friends family mother father sister brother jesus christ heaven peace dragon monkey tiger lion eagle falcon panther bear wolf horse dolphin chicken kitty puppy shadow ghost
killer hunter ranger soldier warrior knight ninja samurai legend hero batman superman spiderman starwars startrek pokemon naruto pikachu matrix gandalf minecraft
football baseball basketball soccer hockey tennis golf yankees cowboys steelers lakers liverpool arsenal chelsea barcelona juventus
michael jennifer jordan charlie donald daniel andrew joshua matthew anthony william thomas robert george richard jessica ashley amanda nicole michelle hannah sophie maggie samantha
alexander benjamin christopher elizabeth victoria ferrari porsche mercedes mustang corvette harley yamaha honda toyota
cookie chocolate coffee banana orange cheese pepper ginger cherry peanut purple yellow silver golden diamond crystal thunder lightning phoenix scorpion bailey buster
monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september october november december
`
  .trim()
  .split(/\s+/);

let estimator: ZxcvbnFactory | undefined;

/**
 * Whether a password can be guessed by whoever tries what people choose: common words, rows of the keyboard, repetitions, sequences, dates, and what the person is called.
 * It takes some milliseconds; 0.1 s for the longest.
 * @param known words that belong to the person
 */
export function isGuessable(password: string, known: readonly string[]): boolean {
  estimator ??= new ZxcvbnFactory({ dictionary: { words: WORDS }, graphs: adjacencyGraphs });
  return estimator.check(password, [...known]).guesses < MIN_GUESSES;
}
