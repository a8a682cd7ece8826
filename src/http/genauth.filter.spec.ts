import { describe, expect, it } from '@jest/globals';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { lastValueFrom } from 'rxjs';

import { GenAuthUnavailableError, InsufficientScopeError, TokenError } from '../core/errors.js';
import { GenAuthFilter } from './genauth.filter.js';

function hostOf(type: string): ExecutionContextHost {
  const host = new ExecutionContextHost([]);
  host.setType(type);
  return host;
}

describe('GenAuthFilter in a microservice', () => {
  it.each([
    [new TokenError('expired', 'secret detail'), 'Unauthorized', 401],
    [new InsufficientScopeError(['book:read']), 'Forbidden', 403],
    [new GenAuthUnavailableError('no_answer', 'secret detail'), 'Service Unavailable', 503],
  ])(
    'answers with an error that says no more than over HTTP (%#)',
    async (error, message, statusCode) => {
      const answer = new GenAuthFilter().catch(error, hostOf('rpc'));
      if (!answer) throw new Error('the caller would wait for ever');
      const said = await lastValueFrom(answer).catch((failure: unknown) => failure);
      expect(said).toMatchObject({ status: 'error', message, statusCode });
      expect(JSON.stringify(said)).not.toContain('secret');
    },
  );

  it.each(['ws', 'graphql'])('leaves what is thrown over %s to others', (type) => {
    const error = new TokenError('expired', 'detail');
    expect(() => new GenAuthFilter().catch(error, hostOf(type))).toThrow(error);
  });
});
