import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { resolve } from "node:path";
import type { Locator } from "@graviton/ports/locator";
import type { Config } from "@graviton/service/settings";

/** The locator below which a process keeps its blocks: the same for processes that keep the same ones. */
export function locationOf(config: Config): Locator {
  switch (config.blockBackend) {
    case "s3":
      return { scheme: "s3", bucket: config.s3Bucket, path: pathOf(`${config.s3Prefix}blocks`) };
    case "filesystem":
      return { scheme: "fs", bucket: machine(), path: pathOf(resolve(config.dataFolder, "blocks")) };
    case "memory":
      return { scheme: "mem", bucket: machine(), path: randomUUID() };
  }
}

/** A locator has no empty segments, and no characters that need quotes. */
function pathOf(path: string): string {
  const segments = path.split("/").filter((segment) => segment !== "");
  return segments.map(encodeURIComponent).join("/");
}

function machine(): string {
  const name = hostname()
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-");
  return name.replace(/^-|-$/g, "").slice(0, 63) || "localhost";
}
