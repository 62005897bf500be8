import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Code, ConnectError } from "@connectrpc/connect";
import { StatusSchema } from "@graviton/proto/google/rpc/status_pb";
import { Metadata, type StatusObject } from "@grpc/grpc-js";

const detailsKey = "grpc-status-details-bin";
const typeUrlPrefix = "type.googleapis.com/";

/** The message in the trailer that every client shows; the details carry all of it. */
const plainMessageMax = 500;

/** The status that grpc-js sends for the error, its details in `grpc-status-details-bin`. */
export function statusOf(error: ConnectError): StatusObject {
  const { code, rawMessage } = error;
  const details = error.details.map((detail) => {
    if (!("desc" in detail)) return { typeUrl: typeUrlPrefix + detail.type, value: detail.value };
    const { desc, value } = detail;
    return { typeUrl: typeUrlPrefix + desc.typeName, value: toBinary(desc, create(desc, value)) };
  });
  const metadata = new Metadata();
  const status = create(StatusSchema, { code, message: rawMessage, details });
  metadata.set(detailsKey, Buffer.from(toBinary(StatusSchema, status)));
  return { code: code as number, details: rawMessage.slice(0, plainMessageMax).toWellFormed(), metadata };
}

/** The error that a status of grpc-js stands for. */
export function errorOf(status: StatusObject): ConnectError {
  const code = status.code as number as Code;
  const [bytes] = status.metadata.get(detailsKey);
  if (!Buffer.isBuffer(bytes)) return new ConnectError(status.details, code);
  try {
    const { message, details } = fromBinary(StatusSchema, bytes);
    const error = new ConnectError(message, code);
    error.details = details.map(({ typeUrl, value }) => ({ type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1), value }));
    return error;
  } catch {
    // Details that do not decode are another stack's; the code stands without them.
    return new ConnectError(status.details, code);
  }
}
