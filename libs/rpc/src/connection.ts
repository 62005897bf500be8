import { Code, ConnectError } from "@connectrpc/connect";
import { type Client, connectivityState } from "@grpc/grpc-js";

/** Whether a client has its connection; where it has none, it tries to. */
export function isConnected(client: Client): boolean {
  const channel = client.getChannel();
  if (channel.getConnectivityState(false) === connectivityState.READY) return true;
  channel.getConnectivityState(true);
  return false;
}

/**
 * Waits until a client has its connection, or knows why it has none. By itself grpc-js waits for as long as it takes: calls
 * to a machine that is gone, or to a process that accepts connections and stands still, would have no end.
 *
 * @param ms how long to wait
 * @throws ConnectError UNAVAILABLE after that time
 */
export async function connected(client: Client, signal: AbortSignal | undefined, ms: number): Promise<void> {
  const channel = client.getChannel();
  const until = Date.now() + ms;
  for (;;) {
    const state = channel.getConnectivityState(false);
    if (state !== connectivityState.IDLE && state !== connectivityState.CONNECTING) return;
    if (signal?.aborted) return;
    if (Date.now() >= until) throw new ConnectError("the connection was not ready in time", Code.Unavailable);
    channel.getConnectivityState(true);
    await new Promise<void>((resolve) => {
      const done = () => {
        signal?.removeEventListener("abort", done);
        resolve();
      };
      signal?.addEventListener("abort", done, { once: true });
      channel.watchConnectivityState(state, until, done);
    });
  }
}
