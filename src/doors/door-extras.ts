import type { DynamicModule, ModuleMetadata, Type } from '@nestjs/common';

import { GenAuthOptionsError } from '../core/errors.js';
import { controllerAt } from './route.js';

/** What a door with a route needs to know when its module is built: `forRootAsync` takes it beside the rest. */
export interface DoorExtras {
  /** The route, below the application's global prefix. */
  path?: string;
  /** With `isGlobal: false`: the very object that `GenAuthModule.forRoot` or `forRootAsync` returned. */
  imports?: ModuleMetadata['imports'];
}

/** A module with its route. @throws {GenAuthOptionsError} `path` is no route */
export function withRoute(
  definition: DynamicModule,
  { path, imports = [] }: DoorExtras,
  controller: Type,
): DynamicModule {
  if (typeof path !== 'string' || path.replaceAll('/', '') === '') {
    const fault = "path must be a route such as 'hooks/genauth', and not the root";
    throw new GenAuthOptionsError([fault], definition.module.name);
  }
  return {
    ...withImports(definition, { imports }),
    controllers: [controllerAt(path, controller)],
  };
}

/** A module beside others. */
export function withImports(
  definition: DynamicModule,
  { imports = [] }: Pick<DoorExtras, 'imports'>,
): DynamicModule {
  return { ...definition, imports: [...new Set([...(definition.imports ?? []), ...imports])] };
}
