import type { HttpService } from '@nestjs/axios';
import type { AxiosRequestConfig, AxiosResponse } from 'axios';
import { firstValueFrom } from 'rxjs';

const MOST_BYTES = 1024 * 1024;

/** The server closed the connection while it lay idle, just as it was used again. */
function isStaleConnection(error: unknown): boolean {
  const { code, request } = error as { code?: unknown; request?: { reusedSocket?: unknown } };
  return (code === 'ECONNRESET' || code === 'EPIPE') && request?.reusedSocket === true;
}

/** Sends a request that may be repeated: a stale connection says nothing of the server. */
export async function sendOver(
  http: HttpService,
  request: AxiosRequestConfig,
): Promise<AxiosResponse<string>> {
  try {
    return await firstValueFrom(http.request<string>(request));
  } catch (error) {
    if (!isStaleConnection(error)) throw error;
    return await firstValueFrom(http.request<string>(request));
  }
}

/** Method, headers and body of a request; a form makes it a POST. */
export function contentOf(form: URLSearchParams | undefined, authorization: string | undefined) {
  return {
    method: form ? 'POST' : 'GET',
    data: form?.toString(),
    headers: {
      Accept: 'application/json',
      ...(form && { 'Content-Type': 'application/x-www-form-urlencoded' }),
      ...(authorization && { Authorization: authorization }),
    },
  };
}

/** The rules of every exchange; see `GenAuthClient`. */
export const TRANSPORT = {
  responseType: 'text',
  transformResponse: (body: unknown) => body,
  validateStatus: () => true,
  maxRedirects: 0,
  maxContentLength: MOST_BYTES,
  maxBodyLength: MOST_BYTES,
  proxy: false,
} as const;

/** `application/x-www-form-urlencoded`, as RFC 6749 §2.3.1 wants the parts of a Basic credential. */
export function formEncode(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1);
}
