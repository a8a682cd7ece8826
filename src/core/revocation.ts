import { hash } from 'node:crypto';

import type { ClockOffset } from './issuer-clock.js';
import { clientsOf, type Principal } from './principal.js';

/** What a watermark is aimed at: everything of one of these, issued up to then. */
export type WatermarkKind = 'session' | 'subject' | 'client' | 'issuer';

/**
 * What a fact is about: one token, or everything of a target. `message` is about neither: it remembers that
 * a message from outside was taken, so that it counts once, and refuses nothing.
 */
export type RevocationKind = 'token' | 'jti' | 'message' | WatermarkKind;

const WATERMARKS: ReadonlySet<string> = new Set(['session', 'subject', 'client', 'issuer']);

export function isWatermark(kind: RevocationKind): kind is WatermarkKind {
  return WATERMARKS.has(kind);
}

/** The first 16 bytes of a SHA-256, base64url: 22 characters. */
export type Digest = string;

/**
 * A fact: tokens of this target, issued up to this instant, are dead. There is no un-revoke.
 *
 * Names its target by digest only, so it may be logged, stored and sent. Instants are epoch milliseconds.
 */
export interface Revocation {
  readonly kind: RevocationKind;
  readonly key: Digest;
  /** Watermarks: a token issued at or before this instant is refused. */
  readonly refusedThroughAt?: number;
  /** Watermarks: a token issued after the above and up to here may be older or newer; GenAuth is asked. */
  readonly askedThroughAt?: number;
  /**
   * Watermarks: between here and the above not even GenAuth's word counts yet, because GenAuth is still to
   * be told. As `askedThroughAt` when absent. Of several facts the one that asks furthest says it.
   */
  readonly settledThroughAt?: number;
  /** `token`: when the token itself expires, exactly; absent when that is not known. */
  readonly expiresAt?: number;
  /** No token that is covered can be alive, and no message be told again, after this instant. */
  readonly keepUntilAt: number;
}

/**
 * Who reported a revocation: one of our own methods, GenAuth when asked, a door that news from outside came
 * through, or the log (another process).
 */
export type RevocationSource =
  | 'revoke'
  | 'revokeSubject'
  | 'revokeSession'
  | 'revokeClient'
  | 'revokeIssuer'
  | 'introspection'
  | DoorSource
  | 'log';

/** The doors that news from outside comes through. */
export type DoorSource = 'backchannelLogout' | 'webhook' | 'securityEvent' | 'eventHub';

/** A revocation that has just taken effect in this process. */
export interface RevocationEvent extends Revocation {
  readonly source: RevocationSource;
  /** What the application gave as `reason`; never set by the library. */
  readonly reason?: string;
}

function digest(text: string): Digest {
  // As a string of bytes: node makes a Buffer of its own for each digest that is asked for as one.
  return Buffer.from(hash('sha256', text, 'binary').slice(0, 16), 'latin1').toString('base64url');
}

/** Identity of a JWT: the characters that were signed, not the signature, which has several spellings. */
export function signedKey(headerAndPayload: string): Digest {
  return digest(`s|${headerAndPayload}`);
}

/** Identity of a token that nobody but its issuer can read. */
export function opaqueKey(token: string): Digest {
  return digest(`o|${token}`);
}

/** Narrows a subject to those of its tokens that name no session: they may be of any. */
export const NO_SESSION = '';

/**
 * Key of a watermark. `ids` as the issuer writes them; a client may be narrowed to one subject, and a subject
 * to `NO_SESSION`.
 */
export function watermarkKey(
  kind: WatermarkKind,
  issuer: string,
  ...ids: readonly string[]
): Digest {
  return digest(`w|${kind}|${JSON.stringify([issuer, ...ids])}`);
}

/** Key for a revocation that arrives without its token, in an authenticated event of the issuer. */
export function jtiKey(issuer: string, jti: string): Digest {
  return digest(`j|${JSON.stringify([issuer, jti])}`);
}

/** Identity of a message from outside: who wrote it, and the name it gave it. */
export function messageKey(issuer: string, jti: string): Digest {
  return digest(`m|${JSON.stringify([issuer, jti])}`);
}

/**
 * The part of a watermark that says which tokens are dead: those issued before the instant `at` of our
 * clock. `iat` has whole seconds and clocks differ, so between certainly older and certainly newer lies
 * a stretch in which only GenAuth can tell.
 */
export function cutAt(
  at: number,
  clock: ClockOffset,
): { readonly refusedThroughAt: number; readonly askedThroughAt: number } {
  return { refusedThroughAt: at + clock.lowMs - 1_000, askedThroughAt: at + clock.highMs };
}

/**
 * As `cutAt`, for something that happened at an instant which the issuer's own clock says, in whole seconds.
 * Whatever came of a session that ended belongs to it; whoever else was cut off may have come back within
 * that second.
 */
export function cutWhen(
  kind: WatermarkKind,
  happenedAt: number,
): { readonly refusedThroughAt: number; readonly askedThroughAt: number } {
  const askedThroughAt = happenedAt + 999;
  return {
    refusedThroughAt: kind === 'session' ? askedThroughAt : happenedAt - 1_000,
    askedThroughAt,
  };
}

/** The keys of a kind under which a revocation may reach the principal. Each costs a digest. */
export function targetKeys(principal: Principal, kind: RevocationKind): readonly Digest[] {
  const { id, issuer, tokenId } = principal;
  if (kind === 'token') return [id];
  if (kind === 'jti') return tokenId === undefined ? [] : [jtiKey(issuer, tokenId)];
  if (kind === 'message') return [];
  return targetIds(principal, kind).map((ids) => watermarkKey(kind, issuer, ...ids));
}

/** What the watermarks of a kind would name, as `watermarkKey` is given it. */
function targetIds(principal: Principal, kind: WatermarkKind): readonly (readonly string[])[] {
  const { sub, sessionId } = principal;
  if (kind === 'issuer') return [[]];
  if (kind === 'session') return sessionId === undefined ? [] : [[sessionId]];
  if (kind === 'client') {
    const clients = [...clientsOf(principal)];
    const ofSubject = sub === undefined ? [] : clients.map((client) => [client, sub]);
    return [...clients.map((client) => [client]), ...ofSubject];
  }
  if (sub === undefined) return [];
  return sessionId === undefined ? [[sub], [sub, NO_SESSION]] : [[sub]];
}

/**
 * Whether the revocation may reach this principal: same target, and not certainly issued after the cut.
 * What listeners need to close the connections of those who were revoked.
 */
export function reaches(revocation: Revocation, principal: Principal): boolean {
  const { kind, key, refusedThroughAt, askedThroughAt = refusedThroughAt } = revocation;
  const { issuedAt = -Infinity } = principal;
  if (askedThroughAt !== undefined && issuedAt > askedThroughAt) return false;
  return targetKeys(principal, kind).includes(key);
}

/** A watermark without its issuer: a kind, and the ids that name its target. */
export interface Target {
  readonly kind: WatermarkKind;
  readonly ids: readonly string[];
}

/** The user whose tokens are all that the target holds, if there is one. */
export function subjectOf({ kind, ids: [id, within] }: Target): string | undefined {
  if (kind === 'subject') return id;
  return kind === 'client' ? within : undefined;
}

/** As the digests of `targetKeys` would say, for a target whose ids are at hand. */
export function isAimedAt({ kind, ids: [id, within] }: Target, principal: Principal): boolean {
  if (kind === 'subject') {
    return principal.sub === id && (within === undefined || principal.sessionId === undefined);
  }
  if (kind === 'session') return principal.sessionId === id;
  if (kind === 'issuer') return principal.issuer === id;
  const isClient = id !== undefined && clientsOf(principal).has(id);
  return isClient && (within === undefined || principal.sub === within);
}

/** What the index of revocations has found of a principal, kept with what was verified for the index to read. */
export interface Finding {
  /** Nothing was held against it as of this version. */
  clearVersion?: number;
  /** Every key that reaches it, packed. Not before there is a cut that could. */
  targets?: string;
}
