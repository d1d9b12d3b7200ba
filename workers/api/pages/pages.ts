import {
  consentByForm,
  decideByForm,
  showConsent,
  showDevice,
  showFront,
  showLogin,
  signInByForm,
  signOutByForm,
} from '#schema/api/account/pages.ts';
import type { Endpoint } from '#schema/api/endpoint.ts';
import type { Deps } from '../handler.ts';
import { answerConsent, askConsent } from './consent.ts';
import { answerDevice, askDevice } from './device.ts';
import { seeOther } from './html.ts';
import { askLogin, answerLogin } from './login.ts';
import { answerLogout } from './logout.ts';

/** A page that a person sees, or the form that it sends. */
export interface Page {
  readonly endpoint: Endpoint;
  readonly answer: (request: Request, deps: Deps) => Promise<Response>;
}

/** The pages by which people sign in, and sign their devices in: HTML without scripts. */
export const PAGES: readonly Page[] = [
  { endpoint: showFront, answer: async () => seeOther('/login') },
  { endpoint: showLogin, answer: askLogin },
  { endpoint: signInByForm, answer: answerLogin },
  { endpoint: signOutByForm, answer: answerLogout },
  { endpoint: showDevice, answer: askDevice },
  { endpoint: decideByForm, answer: answerDevice },
  { endpoint: showConsent, answer: askConsent },
  { endpoint: consentByForm, answer: answerConsent },
];
