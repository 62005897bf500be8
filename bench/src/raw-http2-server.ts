import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";

/** What a stream of HTTP/2 carries when nothing is stored: takes uploads and counts them, gives as many bytes as asked. */
const frame = Buffer.alloc(1024 * 1024, 7);
const server = createServer({ settings: { initialWindowSize: 4 * 1024 * 1024, maxFrameSize: 1024 * 1024 } });

server.on("session", (session) => session.setLocalWindowSize(8 * 1024 * 1024));
server.on("stream", (stream, headers) => {
  if (headers[":method"] === "GET") {
    let left = Number(headers["x-bytes"]);
    stream.respond({ ":status": 200 });
    const send = () => {
      while (left > 0) {
        left -= frame.length;
        if (!stream.write(frame)) return void stream.once("drain", send);
      }
      stream.end();
    };
    send();
    return;
  }
  let received = 0;
  stream.on("data", (chunk: Buffer) => {
    received += chunk.length;
  });
  stream.on("end", () => {
    stream.respond({ ":status": 200 });
    stream.end(String(received));
  });
});

server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
