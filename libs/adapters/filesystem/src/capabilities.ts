import type { Capabilities } from "@graviton/ports/capabilities";

/**
 * Files outlive their process. Several handles may open one folder; see `Staging` for how they keep out of each
 * other's way.
 */
export const filesystemCapabilities: Capabilities = { durable: true, exclusive: false };
