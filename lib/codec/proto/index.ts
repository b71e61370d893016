import { fileURLToPath } from 'node:url';

export type * from './cache-messages.ts';
export type * from './messages.ts';

/** Folder that every `import` inside the proto files is relative to. */
export const protoRoot: string = fileURLToPath(new URL('.', import.meta.url));

/** Absolute path of the `ringside.v1.ControlPlane` service. */
export const controlPlaneProto: string = fileURLToPath(
  new URL('./ringside/v1/control_plane.proto', import.meta.url),
);

/** Absolute path of the `ringside.v1.Cache` service. */
export const cacheProto: string = fileURLToPath(new URL('./ringside/v1/cache.proto', import.meta.url));

/** Absolute path of the `ringside.v1.Coordination` service. */
export const coordinationProto: string = fileURLToPath(
  new URL('./ringside/v1/coordination.proto', import.meta.url),
);

/** Absolute path of `grpc.health.v1.Health`, for reflection. */
export const healthProto: string = fileURLToPath(new URL('./grpc/health/v1/health.proto', import.meta.url));

/** How every Ringside process reads its protos; the shapes in messages.ts assume exactly this. */
export const protoLoaderOptions: Readonly<{
  keepCase: false;
  longs: typeof String;
  enums: typeof String;
  defaults: true;
  oneofs: true;
  includeDirs: string[];
}> = Object.freeze({
  keepCase: false,
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
  includeDirs: [protoRoot],
});
