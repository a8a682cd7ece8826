import { STATUS_CODES } from 'node:http';

/** What the server says, before it is written to a socket. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/** A refusal in the form of RFC 6749 §5.2. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly description: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(description);
  }
}

const LOCALIZED: Readonly<Record<string, string>> = {
  invalid_request: '请求参数不正确',
  invalid_client: '客户端认证失败',
  invalid_grant: '授权请求无效',
  invalid_token: '令牌无效',
  unauthorized_client: '该应用未开启此授权模式',
  unsupported_grant_type: '不支持的授权模式',
  unsupported_token_type: '不支持的令牌类型',
  server_error: '服务器内部错误',
};

/** 400 `invalid_request`. */
export function invalidRequest(description: string): Refusal {
  return new Refusal(400, 'invalid_request', description);
}

/** A JSON answer with the content type the engine gives it. */
export function jsonAnswer(
  body: unknown,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const type = { 'Content-Type': 'application/json; charset=utf-8' };
  return { status, headers: { ...type, ...headers }, body: JSON.stringify(body ?? null) };
}

/** An HTML page. */
export function htmlAnswer(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const title = `${status} ${STATUS_CODES[status] ?? ''}`.trim();
  return {
    status,
    headers: { 'Content-Type': 'text/html; charset=utf-8', ...headers },
    body: `<!DOCTYPE html><html><head><title>${title}</title></head><body><h1>${title}</h1><p>${escaped(text)}</p></body></html>`,
  };
}

/** The refusal as a page for browsers, and as JSON for everybody else. */
export function refusalAnswer(
  refusal: Refusal,
  options: { accept: string | undefined; localized: boolean },
): Answer {
  const { status, code, headers } = refusal;
  const description = options.localized
    ? (LOCALIZED[code] ?? refusal.description)
    : refusal.description;
  if (prefersHtml(options.accept)) return htmlAnswer(status, `${code}: ${description}`, headers);
  return jsonAnswer({ error: code, error_description: description }, status, headers);
}

/** Whether an `Accept` header wants HTML more than JSON; no header and a bare wildcard want JSON. */
export function prefersHtml(accept = '*/*'): boolean {
  const ranges = accept.split(',').map(mediaRange);
  const html = preference(ranges, 'text/html');
  const json = preference(ranges, 'application/json');
  return html.quality > json.quality || (html.quality === json.quality && html.order < json.order);
}

interface MediaRange {
  readonly type: string;
  readonly quality: number;
}

function mediaRange(text: string): MediaRange {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const weight = parameters.find((each) => each.startsWith('q='));
  return { type, quality: weight ? Number(weight.slice(2)) : 1 };
}

function preference(ranges: MediaRange[], type: string): { quality: number; order: number } {
  for (const name of [type, `${type.split('/')[0]}/*`, '*/*']) {
    const order = ranges.findIndex((range) => range.type === name);
    const quality = ranges[order]?.quality;
    if (quality !== undefined && quality > 0) return { quality, order };
  }
  return { quality: 0, order: ranges.length };
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}
