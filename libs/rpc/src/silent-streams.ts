import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { constants, type ServerHttp2Stream } from "node:http2";

/**
 * How long a client from outside may stand still, in milliseconds: long enough for whoever pipes in what a slow program
 * writes in bursts.
 */
export const silenceMsMaxDefault = 600_000;

const streamCreated = "http2.server.stream.created";

/**
 * Ends every call of a server on this port whose client stands still: takes nothing of what waits for it, or sends
 * nothing though it has not finished. Such a call holds its place and its memory; pings, which a program that hangs
 * still answers, do not tell. The client sees RESOURCE_EXHAUSTED. Calls that wait for the server go on.
 *
 * @param silenceMs how long a client may stand still, in milliseconds
 * @returns stops it
 */
export function endSilentStreams(port: number, silenceMs: number): () => void {
  const watch = (message: unknown) => {
    const { stream } = message as { readonly stream: ServerHttp2Stream };
    if (stream.session?.socket.localPort !== port) return;
    stream.setTimeout(silenceMs);
    stream.on("timeout", () => {
      if (standsStill(stream)) stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      else stream.setTimeout(silenceMs);
    });
  };
  subscribe(streamCreated, watch);
  return () => void unsubscribe(streamCreated, watch);
}

function standsStill(stream: ServerHttp2Stream): boolean {
  // Whoever still sends is awaited only while somebody reads.
  const awaited = !stream.readableEnded && !stream.isPaused();
  return stream.writableLength > 0 || awaited;
}
