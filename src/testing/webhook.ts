import { delivery, type Delivery } from './logout-token.js';

/** How a webhook is sent. */
export interface WebhookOptions {
  /** What your route expects; anything else is a wrong one. */
  secret?: string;
  /** The header that holds the secret; tenants differ. @default 'x-authing-webhook-secret' */
  header?: string;
  /** How the body is written: as JSON, or as a form whose nested data is JSON or in brackets. @default 'json' */
  encoding?: 'json' | 'form-json' | 'form-brackets';
  /** How often it is sent, one after the other; the last answer counts. @default 1 */
  times?: number;
  /** Headers to add. */
  headers?: Readonly<Record<string, string>>;
}

/** Posts an event as GenAuth does; without a name, its data alone is the body. */
export async function postWebhook(
  url: string,
  eventName: string | null,
  data: unknown,
  options: WebhookOptions = {},
): Promise<Delivery> {
  const { secret, header = 'x-authing-webhook-secret', encoding = 'json', times = 1 } = options;
  const payload = eventName === null ? data : { eventName, data };
  const headers = {
    'user-agent': 'authing-webhook@2.0',
    ...(secret !== undefined && { [header]: secret }),
    'content-type': encoding === 'json' ? 'application/json' : 'application/x-www-form-urlencoded',
    ...options.headers,
  };
  const body = encoding === 'json' ? JSON.stringify(payload) : formOf(payload, encoding);
  for (let sent = 1; sent < times; sent += 1) await delivery(url, body, headers);
  return delivery(url, body, headers);
}

function formOf(payload: unknown, encoding: 'form-json' | 'form-brackets'): string {
  const fields =
    encoding === 'form-json'
      ? members(payload).map(([name, value]) => [name, textOf(value)] as const)
      : members(payload).flatMap(([name, value]) => leaves(name, value));
  return new URLSearchParams(fields.map(([name, text]) => [name, text])).toString();
}

/** `{ a: { b: ['c'] } }` as `a[b][0]=c`. */
function leaves(path: string, value: unknown): (readonly [string, string])[] {
  if (typeof value !== 'object' || value === null) return [[path, textOf(value)]];
  return members(value).flatMap(([name, one]) => leaves(`${path}[${name}]`, one));
}

function members(value: unknown): [string, unknown][] {
  return Object.entries(value ?? {});
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null);
}
