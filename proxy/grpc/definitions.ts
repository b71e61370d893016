import { type GrpcObject, loadPackageDefinition, type ServiceDefinition } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import {
  cacheProto,
  coordinationProto,
  healthProto,
  protoLoaderOptions,
} from '../../lib/codec/proto/index.ts';

/** What the listener serves, as read from the proto files. */
export interface Definitions {
  /** Everything, for reflection. */
  readonly all: PackageDefinition;
  readonly cache: ServiceDefinition;
  readonly coordination: ServiceDefinition;
}

/** Reads the proto files. */
export function loadDefinitions(): Definitions {
  const all = loadSync([cacheProto, coordinationProto, healthProto], { ...protoLoaderOptions });
  const { v1 } = loadPackageDefinition(all).ringside as GrpcObject & { v1: Services };
  return { all, cache: v1.Cache.service, coordination: v1.Coordination.service };
}

type Services = Record<'Cache' | 'Coordination', { service: ServiceDefinition }>;
