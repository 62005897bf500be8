import { type DescFile, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { file_grpc_health_v1_health } from "@graviton/proto/grpc/health/v1/health_pb";
import type { Server } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";

/**
 * Server reflection, v1 and v1alpha, so that generic clients need no `.proto` file: for the given files, health, and
 * all that they import.
 */
export function registerReflection(server: Server, files: readonly DescFile[]): void {
  const all = new Map<string, DescFile>();
  for (const file of [...files, file_grpc_health_v1_health]) collect(file, all);
  const fileDescriptorProtos = [...all.values()].map(({ proto }) =>
    Buffer.from(toBinary(FileDescriptorProtoSchema, proto)),
  );
  // Of a package definition the reflection service reads the file descriptors alone. Those that proto-loader derives
  // have lost the files' names, and with them the imports.
  const format = "Protocol Buffer 3 EnumDescriptorProto" as const;
  const definition = { graviton: { format, type: {}, fileDescriptorProtos } };
  new ReflectionService(definition).addToServer(server);
}

function collect(file: DescFile, into: Map<string, DescFile>): void {
  if (into.has(file.name)) return;
  into.set(file.name, file);
  for (const dependency of file.dependencies) collect(dependency, into);
}
