import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  ServerReflection,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "@graviton/proto/grpc/reflection/v1/reflection_pb";
import { Client, credentials } from "@grpc/grpc-js";

/** One question of the protocol, such as `{ case: "listServices", value: "" }`. */
type Question = NonNullable<MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"]>;

type Answer = ServerReflectionResponse["messageResponse"];

/**
 * Asks a process about itself by `grpc.reflection.v1`, as generic clients do.
 *
 * @param address `host:port`
 */
export async function askReflection(address: string, question: Question): Promise<Answer> {
  const client = new Client(address, credentials.createInsecure(), { "grpc.enable_http_proxy": 0 });
  const { parent, name } = ServerReflection.method.serverReflectionInfo;
  const call = client.makeBidiStreamRequest(
    `/${parent.typeName}/${name}`,
    (messageRequest: Question) =>
      Buffer.from(toBinary(ServerReflectionRequestSchema, create(ServerReflectionRequestSchema, { messageRequest }))),
    (bytes) => fromBinary(ServerReflectionResponseSchema, bytes),
  );
  call.write(question);
  call.end();
  try {
    const answers = await Array.fromAsync<ServerReflectionResponse>(call);
    if (answers.length !== 1) throw new Error(`${address} answers one question ${answers.length} times`);
    return answers[0]?.messageResponse ?? { case: undefined };
  } finally {
    client.close();
  }
}

/** The full names of the services that a process tells, in order. */
export async function servicesTold(address: string): Promise<string[]> {
  const answer = await askReflection(address, { case: "listServices", value: "" });
  if (answer.case !== "listServicesResponse") throw new Error(`${address} lists no services: ${answer.case}`);
  return answer.value.service.map(({ name }) => name).sort();
}
