// Loaded before a process of the cluster: ends it when the pipe that its parent holds closes, however the parent ended.
import { Socket } from "node:net";

new Socket({ fd: 3 })
  .on("close", () => process.exit(1))
  .resume()
  .unref();
