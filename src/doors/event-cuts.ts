import { isJsonObject, isName } from '../core/json.js';
import type { Target } from '../core/revocation.js';
import type { ResolvedApplication } from '../genauth.options.js';
import type { NewsCut } from '../intake.js';

/**
 * What an event says is dead, of everything that was issued up to now: a user's tokens, all of them or those of
 * one client; those of a session; those of a client.
 */
export type EventCut = (
  | { readonly subject: string; readonly client?: string; readonly session?: never }
  | { readonly session: string; readonly subject?: never; readonly client?: never }
  | { readonly client: string; readonly subject?: never; readonly session?: never }
) & {
  /** With several applications, the one that is meant. @default all of them */
  readonly appId?: string;
};

/** Most cuts that one message may ask for. */
export const MOST_CUTS = 1_000;

const MEMBERS: ReadonlySet<string> = new Set(['subject', 'client', 'session', 'appId']);

/**
 * The cuts as the intake takes them.
 *
 * @returns undefined when they are no list of cuts, or name an application that is not configured
 */
export function newsCutsOf(
  cuts: unknown,
  applications: readonly ResolvedApplication[],
): NewsCut[] | undefined {
  if (!Array.isArray(cuts) || cuts.length > MOST_CUTS) return undefined;
  const all = cuts.map((cut: unknown) => newsCutOf(cut, applications));
  return all.every((cut) => cut !== undefined) ? all.flat() : undefined;
}

function newsCutOf(
  cut: unknown,
  applications: readonly ResolvedApplication[],
): NewsCut[] | undefined {
  if (!isJsonObject(cut)) return undefined;
  const members = Object.entries(cut).filter(([, value]) => value !== undefined);
  if (!members.every(([name, value]) => MEMBERS.has(name) && isName(value))) return undefined;
  const { appId } = cut;
  const target = targetOf(cut);
  const meant = applications.filter((one) => appId === undefined || one.appId === appId);
  if (!target || meant.length === 0) return undefined;
  return meant.map((application) => ({ target, application }));
}

function targetOf({ subject, client, session }: Readonly<Record<string, unknown>>) {
  const named = [client, subject].filter(isName);
  if (isName(session)) return named.length === 0 ? target('session', session) : undefined;
  if (isName(client)) return target('client', ...named);
  return isName(subject) ? target('subject', subject) : undefined;
}

function target(kind: Target['kind'], ...ids: readonly string[]): Target {
  return { kind, ids };
}
