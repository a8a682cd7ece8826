import { isJsonObject, readJsonObject } from './core/json.js';
import type { RevokeOptions } from './revocation-task.js';

/** A revocation that GenAuth is still to be told of, as it outlives the process that was asked for it. */
export interface ErrandContent extends Pick<RevokeOptions, 'tokenTypeHint' | 'cascade' | 'appId'> {
  readonly token: string;
  /** When the revocation was asked for, epoch milliseconds: what was issued later is none of its business. */
  readonly at: number;
}

export function writeErrand({ token, tokenTypeHint, cascade, appId, at }: ErrandContent): string {
  return JSON.stringify({ token, tokenTypeHint, cascade, appId, at });
}

/** @returns undefined when the text is no errand of ours */
export function readErrand(text: string): ErrandContent | undefined {
  const content = readJsonObject(text);
  return isJsonObject(content) && isErrand(content) ? content : undefined;
}

function isErrand(content: object): content is ErrandContent {
  const { token, at, tokenTypeHint, cascade, appId } = content as Record<string, unknown>;
  return (
    typeof token === 'string' &&
    typeof at === 'number' &&
    [undefined, 'access_token', 'refresh_token'].includes(tokenTypeHint as string | undefined) &&
    (cascade === undefined || typeof cascade === 'boolean') &&
    (appId === undefined || typeof appId === 'string')
  );
}
