import { constants, type ServerHttp2Stream } from "node:http2";

/**
 * How long a client from outside may stand still, in milliseconds: long enough for whoever pipes in what a slow program
 * writes in bursts.
 */
export const outsideSilenceMsMax = 600_000;

/**
 * Ends a call whose client stands still: takes nothing of what waits for it, or sends nothing though it has not finished.
 * Such a call holds its place and its memory. The client sees RESOURCE_EXHAUSTED. A call that waits for the server goes on.
 *
 * Not by the stream's own `setTimeout`: that sees no silence while anything moves on the connection, other calls and
 * pings, which a program that hangs still answers.
 *
 * @param silenceMs how long a client may stand still, in milliseconds; it has up to twice as long
 * @returns what says that a message has come or gone
 */
export function endWhenSilent(stream: ServerHttp2Stream, silenceMs: number): () => void {
  let stoodStill = false;
  const timer = setInterval(() => {
    if (stoodStill) stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    else stoodStill = standsStill(stream);
  }, silenceMs).unref();
  stream.once("close", () => clearInterval(timer));
  return () => {
    stoodStill = false;
  };
}

function standsStill(stream: ServerHttp2Stream): boolean {
  // Whoever still sends is awaited only while somebody reads.
  const awaited = !stream.readableEnded && !stream.isPaused();
  return stream.writableLength > 0 || awaited;
}
