import { isJsonObject, type JsonObject } from '../core/json.js';
import type { HttpRequest } from '../http/bearer.js';
import { FORM, mediaTypeOf } from './raw-body.js';
import { RefusedNews } from './refused-news.js';
import { isOneOf } from './shared-secret.js';
import type { ResolvedWebhook } from './webhook.options.js';

/** Deeper than any user or application in an event. */
const DEEPEST = 8;

/**
 * Whether one of the headers holds one of the secrets. What else is in the others says nothing: nobody gets
 * further by them. Takes as long for a wrong secret as for a right one.
 */
export function isAuthentic(
  { headers }: HttpRequest,
  { headers: names, secrets }: Pick<ResolvedWebhook, 'headers' | 'secrets'>,
): boolean {
  const shown = names.flatMap((name) => headers[name] ?? []);
  return shown.filter((header) => isOneOf(secrets, header)).length > 0;
}

/** Whether the body is larger than that. Without a declared length, as large as it is when written as JSON. */
export function isOversized({ headers, body }: HttpRequest, maxBytes: number): boolean {
  const declared = headers['content-length'];
  if (declared !== undefined) return Number(declared) > maxBytes;
  try {
    return Buffer.byteLength(JSON.stringify(body) ?? '') > maxBytes;
  } catch {
    // Nested more deeply than can be written, which a parser may read all the same.
    return true;
  }
}

/** Whether it is one of the two content types that GenAuth can be set to. */
export function isReadable(request: HttpRequest): boolean {
  return ['application/json', FORM].includes(mediaTypeOf(request));
}

/** What was sent, an object. How a form writes it is not documented: as JSON in its fields, or in brackets. */
export function payloadOf(request: HttpRequest): JsonObject {
  const { body } = request;
  if (!isJsonObject(body) || Object.keys(body).length === 0) {
    throw new RefusedNews('the body is no object, or an empty one');
  }
  return mediaTypeOf(request) === FORM ? (opened(nested(body)) as JsonObject) : body;
}

/** `{ 'a[b][0]': 1 }` as `{ a: { b: { 0: 1 } } }`, where the platform has not done that. */
function nested(fields: JsonObject): JsonObject {
  const root = plain();
  for (const [field, value] of Object.entries(fields)) {
    const [, first = '', rest = ''] = /^([^[]+)((?:\[[^[\]]*\])*)$/.exec(field) ?? [];
    const path = [first, ...[...rest.matchAll(/\[([^[\]]*)\]/g)].map(([, name = '']) => name)];
    if (path.length <= DEEPEST) place(root, path, value);
  }
  return root;
}

function place(root: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let node = root;
  for (const name of path.slice(0, -1)) {
    const next = node[name] ?? plain();
    // Said to be a value as well as an object.
    if (!isJsonObject(next)) return;
    node = node[name] = next as Record<string, unknown>;
  }
  const last = path.at(-1) ?? '';
  // `a[]` is how a list is written without indices.
  node[last === '' ? `${Object.keys(node).length}` : last] = value;
}

/** Without a prototype that a field could name. */
function plain(): Record<string, unknown> {
  return Object.create(null) as Record<string, unknown>;
}

/** Texts that are JSON objects or lists are read, at any place of an event. */
function opened(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return /^\s*[[{]/.test(value) ? readJson(value) : value;
  if (typeof value !== 'object' || value === null || depth > DEEPEST) return value;
  if (Array.isArray(value)) return value.map((item) => opened(item, depth + 1));
  const members = Object.entries(value).map(([name, one]) => [name, opened(one, depth + 1)]);
  return Object.fromEntries(members) as JsonObject;
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
