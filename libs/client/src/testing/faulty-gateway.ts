import type { BlobStore } from "@graviton/ports/blob-store";
import { RemoteBlobStore } from "@graviton/rpc/blob/remote";
import { blobRoutes } from "@graviton/rpc/blob/routes";
import { connect } from "@graviton/rpc/channel";
import { serveGrpc } from "@graviton/rpc/server";

/** A gateway that has faults which the real one has not. */
export interface FaultyGateway extends AsyncDisposable {
  readonly endpoint: string;
}

/**
 * Serves the blobs of the server at the endpoint, some methods replaced.
 *
 * @param faults gets the honest store
 */
export async function faultyGateway(
  endpoint: string,
  faults: (honest: BlobStore) => Partial<BlobStore>,
): Promise<FaultyGateway> {
  const channel = connect(endpoint);
  const honest = new RemoteBlobStore(channel);
  const store: BlobStore = {
    put: (...call) => honest.put(...call),
    get: (...call) => honest.get(...call),
    stat: (...call) => honest.stat(...call),
    delete: (...call) => honest.delete(...call),
    list: (...call) => honest.list(...call),
    findMissing: (...call) => honest.findMissing(...call),
    [Symbol.asyncDispose]: () => honest[Symbol.asyncDispose](),
    ...faults(honest),
  };
  const server = await serveGrpc({ routes: [blobRoutes(store)], host: "127.0.0.1", port: 0 });
  return {
    endpoint: `http://${server.address}`,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      await channel[Symbol.asyncDispose]();
    },
  };
}
