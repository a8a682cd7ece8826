import type { HttpService } from '@nestjs/axios';
import type { AxiosRequestConfig, AxiosResponse } from 'axios';
import { firstValueFrom } from 'rxjs';

const MOST_BYTES = 1024 * 1024;

type Axios = readonly [typeof import('@nestjs/axios'), typeof import('axios')];

let axios: Promise<Axios> | undefined;

/** Once in a process and one after the other: test runners with a loader of their own trip over more. */
async function loadAxios(): Promise<Axios> {
  return [await import('@nestjs/axios'), await import('axios')];
}

/**
 * Nest's `HttpService`, on an axios of our own: interceptors of the application never see a token. Both are
 * loaded with the first call, because they take longer than everything else an application starts with.
 */
export class HttpSender {
  #http: HttpService | undefined;

  /** Resolves when requests can be sent without delay. */
  async ready(): Promise<HttpService> {
    const [{ HttpService }, { default: own }] = await (axios ??= loadAxios());
    return (this.#http ??= new HttpService(own.create()));
  }

  /** Sends a request that may be repeated: a stale connection says nothing of the server. */
  async send(request: AxiosRequestConfig): Promise<AxiosResponse<string>> {
    const http = await this.ready();
    try {
      return await firstValueFrom(http.request<string>(request));
    } catch (error) {
      if (!isStaleConnection(error)) throw error;
      return await firstValueFrom(http.request<string>(request));
    }
  }
}

/** The server closed the connection while it lay idle, just as it was used again. */
function isStaleConnection(error: unknown): boolean {
  const { code, request } = error as { code?: unknown; request?: { reusedSocket?: unknown } };
  return (code === 'ECONNRESET' || code === 'EPIPE') && request?.reusedSocket === true;
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
