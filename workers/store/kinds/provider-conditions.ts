import type * as z from 'zod';
import { moment } from '#schema/api/endpoint.ts';
import type { Condition } from '#schema/resources/metadata.ts';

/** What is known of a provider. Moments: epoch seconds. */
interface Known {
  readonly generation: number;
  readonly created_at: number;
  readonly deleted_at: number | null;
  readonly enabled: boolean;
  readonly enabled_changed_at: number;
  readonly tested_generation: number | null;
  readonly test_passed: boolean;
  readonly test_changed_at: number | null;
  readonly test_checks: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[];
  readonly people: number;
  readonly unconfirmed: number;
  /** Since when the provider has not spoken of anybody who is unconfirmed; null: nobody is. */
  readonly late_since: number | null;
}

type Shown = z.input<typeof Condition>;

/** `Tested`, `Enabled` and `Refreshed` of a provider. */
export function conditionsOf(known: Known): Shown[] {
  return [
    { type: 'Tested', ...tested(known) },
    { type: 'Enabled', ...enabled(known), observedGeneration: known.generation },
    { type: 'Refreshed', ...refreshed(known), observedGeneration: known.generation },
  ];
}

function tested({
  created_at: createdAt,
  tested_generation: generation,
  test_passed: passed,
  test_changed_at: changedAt,
  test_checks: checks,
}: Known): Omit<Shown, 'type'> {
  const lastTransitionTime = moment(changedAt ?? createdAt);
  if (generation === null) {
    const message = 'no test of it has ended yet';
    return { status: 'Unknown', reason: 'NeverTested', message, lastTransitionTime, observedGeneration: 0 };
  }
  if (passed) {
    const message = 'the last test found nothing wrong';
    return { status: 'True', reason: 'Passed', message, lastTransitionTime, observedGeneration: generation };
  }
  const failed = checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
  return {
    status: 'False',
    reason: 'Failed',
    message: failed.join('; '),
    lastTransitionTime,
    observedGeneration: generation,
  };
}

type Undated = Omit<Shown, 'type' | 'observedGeneration'>;

function enabled({ deleted_at: deletedAt, enabled: is, enabled_changed_at: at }: Known): Undated {
  const lastTransitionTime = moment(at);
  if (is) return { status: 'True', reason: 'Enabled', message: 'people may sign in through it', lastTransitionTime };
  if (deletedAt !== null)
    return { status: 'False', reason: 'Deleting', message: 'is being removed', lastTransitionTime };
  return { status: 'False', reason: 'Disabled', message: 'nobody signs in through it', lastTransitionTime };
}

/** That it answers again is written nowhere: then the moment is that from which on it could be asked. */
function refreshed({
  enabled: isEnabled,
  enabled_changed_at: at,
  people,
  unconfirmed,
  late_since: lateSince,
}: Known): Undated {
  const lastTransitionTime = moment(at);
  if (!isEnabled) {
    return { status: 'Unknown', reason: 'Disabled', message: 'it is not asked about anybody', lastTransitionTime };
  }
  if (lateSince === null) {
    return {
      status: 'True',
      reason: 'Answers',
      message: 'it answers when it is asked about people',
      lastTransitionTime,
    };
  }
  return {
    status: 'False',
    reason: 'Unconfirmed',
    message: `it could not be asked about ${unconfirmed} of ${people} people for two hours`,
    lastTransitionTime: moment(Math.max(lateSince, at)),
  };
}
