import { createClient } from "@connectrpc/connect";
import { StorageError } from "@graviton/ports/storage-error";
import { Health, HealthCheckResponse_ServingStatus } from "@graviton/proto/grpc/health/v1/health_pb";
import type { Channel } from "./channel.ts";
import { RemoteCalls } from "./remote-call.ts";

/**
 * Asks a process whether it serves, by `grpc.health.v1`.
 *
 * @throws StorageError UNAVAILABLE when it does not, or does not answer
 */
export async function checkHealth(channel: Channel, signal: AbortSignal): Promise<void> {
  const client = createClient(Health, channel.transport);
  const { status } = await new RemoteCalls(channel.address).answer({ signal }, (call) => client.check({}, call));
  if (status === HealthCheckResponse_ServingStatus.SERVING) return;
  throw new StorageError("UNAVAILABLE", `${channel.address} answers, and is not ready`, { resource: channel.address });
}
