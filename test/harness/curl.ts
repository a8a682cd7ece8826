import { execFile, spawnSync } from 'node:child_process';

/** Whether the machine has curl. */
export const hasCurl = spawnSync('curl', ['--version']).status === 0;

/** An answer as curl prints it. */
export interface CurlAnswer {
  readonly statusLine: string;
  /** Every header by its lower-case name, values in the order they came. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly body: string;
}

/** Runs curl with `--include`; its own configuration file and proxies are left out. */
export async function curl(...args: string[]): Promise<CurlAnswer> {
  const fixed = ['--disable', '--silent', '--show-error', '--include', '--noproxy', '*'];
  const printed = await new Promise<string>((resolve, reject) => {
    execFile('curl', [...fixed, ...args], (error, stdout, stderr) => {
      if (error) reject(new Error(`curl: ${stderr}`, { cause: error }));
      else resolve(stdout);
    });
  });
  const end = printed.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = printed.slice(0, end).split('\r\n');
  const headers: Record<string, string[]> = {};
  for (const line of lines) {
    const [, name = '', value = ''] = /^([^:]+): ?(.*)$/.exec(line) ?? [];
    (headers[name.toLowerCase()] ??= []).push(value);
  }
  return { statusLine, headers, body: printed.slice(end + 4) };
}
