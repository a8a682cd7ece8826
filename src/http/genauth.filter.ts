import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import { type Observable, throwError } from 'rxjs';

import { GenAuthError } from '../core/errors.js';
import { type Refusal, refusalOf } from './refusal.js';

interface HttpResponse {
  header(name: string, value: string): unknown;
  status(code: number): { send(body: unknown): unknown };
}

/**
 * Answers HTTP requests whose handler let an error of this library through: most of all `revoke` with a
 * `RevocationError`, which becomes 503 with its receipt, or 400 when it was given no token. The module
 * registers it for the whole application. A microservice's caller is told the same in a word.
 */
@Catch(GenAuthError)
export class GenAuthFilter implements ExceptionFilter<GenAuthError> {
  catch(error: GenAuthError, host: ArgumentsHost): Observable<never> | void {
    const refusal = refusalOf(error);
    // A microservice answers with what its filter returns, and not at all when that throws.
    if (host.getType() === 'rpc') return throwError(() => rpcErrorOf(refusal));
    if (!refusal || host.getType() !== 'http') throw error;
    const response = host.switchToHttp().getResponse<HttpResponse>();
    for (const [name, value] of Object.entries(refusal.headers)) response.header(name, value);
    const { exception } = refusal;
    response.status(exception.getStatus()).send(exception.getResponse());
  }
}

function rpcErrorOf(refusal: Refusal | undefined): object {
  const body = refusal?.exception.getResponse() ?? { message: 'Internal server error' };
  return { status: 'error', ...(body as object) };
}
