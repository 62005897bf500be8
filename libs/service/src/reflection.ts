import { create, type DescFile, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { file_grpc_health_v1_health } from "@graviton/proto/grpc/health/v1/health_pb";
import type { Server } from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";

/** Server reflection, v1 and v1alpha, so that generic clients need no `.proto` file: for the given files, health, and all they import. */
export function registerReflection(server: Server, files: readonly DescFile[]): void {
  const all = new Map<string, DescFile>();
  for (const file of [...files, file_grpc_health_v1_health]) collect(file, all);
  const set = create(FileDescriptorSetSchema, { file: [...all.values()].map((file) => file.proto) });
  const definition = loadFileDescriptorSetFromBuffer(Buffer.from(toBinary(FileDescriptorSetSchema, set)));
  new ReflectionService(definition).addToServer(server);
}

/** Imports first, as a descriptor set wants them. */
function collect(file: DescFile, into: Map<string, DescFile>): void {
  if (into.has(file.name)) return;
  for (const dependency of file.dependencies) collect(dependency, into);
  into.set(file.name, file);
}
