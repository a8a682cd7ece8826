import { connect } from 'node:net';

/** An answer read off the socket as it came. */
export interface RawAnswer {
  readonly status: number;
  /** Lower-case names; every value sent under a name. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: string;
  /** All that came, for searching. */
  readonly text: string;
}

/** What is put on the wire: each header line exactly as given, repeated or malformed ones too. */
export interface RawRequest {
  readonly method?: string;
  readonly path?: string;
  /** `Name: value` lines; characters are sent as latin1 bytes, one each. */
  readonly lines?: readonly string[];
  readonly body?: string;
}

/** Sends the request over a socket of its own and reads the answer to its end. */
export async function rawRequest(
  url: string,
  { method = 'GET', path = '/', lines = [], body = '' }: RawRequest,
): Promise<RawAnswer> {
  const { hostname, port, host } = new URL(url);
  const fixed = [`${method} ${path} HTTP/1.1`, `Host: ${host}`, 'Connection: close'];
  const length = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body, 'latin1')}`];
  const head = [...fixed, ...lines, ...length].join('\r\n');
  const chunks: Buffer[] = [];
  const socket = connect(Number(port), hostname);
  await new Promise<void>((resolve, reject) => {
    socket.setTimeout(20_000, () => socket.destroy(new Error('no answer within 20 s')));
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', reject).on('close', () => resolve());
    socket.write(Buffer.from(`${head}\r\n\r\n${body}`, 'latin1'));
  });
  return parsed(Buffer.concat(chunks).toString('latin1'));
}

function parsed(text: string): RawAnswer {
  const cut = text.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = text.slice(0, cut).split('\r\n');
  const headers = new Map<string, string[]>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), line.slice(colon + 1).trim()]);
  }
  const raw = text.slice(cut + 4);
  const isChunked = headers.get('transfer-encoding')?.includes('chunked') ?? false;
  const body = isChunked ? unchunked(raw) : raw;
  return { status: Number(statusLine.split(' ')[1]), headers, body, text };
}

function unchunked(raw: string): string {
  let body = '';
  for (let at = 0; at < raw.length;) {
    const end = raw.indexOf('\r\n', at);
    const size = Number.parseInt(raw.slice(at, end), 16);
    if (!(size > 0)) break;
    body += raw.slice(end + 2, end + 2 + size);
    at = end + 2 + size + 2;
  }
  return body;
}
