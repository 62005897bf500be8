import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { errorCode, StorageError } from "@graviton/ports/storage-error";
import { closing, readFully, writeFully } from "./file-bytes.ts";
import { isAbsent } from "./file-error.ts";
import type { FileLayer } from "./file-layer.ts";
import type { Folders } from "./folders.ts";
import type { Staging } from "./staging.ts";

/** Bytes of an id at most. */
const idBytesMax = 100;

/** What the id of a storage stands on. */
export interface StorageIdParts {
  /** The folder of the blocks. */
  readonly root: string;
  readonly files: FileLayer;
  readonly folders: Folders;
  readonly staging: Staging;
}

/**
 * A random text that tells one folder of blocks from all others, whatever path it is at on whatever machine. It stands in a
 * file among the blocks, which the first who asks makes.
 */
export async function storageId(parts: StorageIdParts): Promise<string> {
  const found = await read(parts);
  if (found !== undefined) return found;
  await write(parts);
  const written = await read(parts);
  if (written !== undefined) return written;
  throw new StorageError("CONFLICT", `folder ${parts.root} has lost the id of its blocks: ask again`, {
    resource: parts.root,
  });
}

async function read({ root, files }: StorageIdParts): Promise<string | undefined> {
  try {
    const file = await files.open(join(root, "id"), "r");
    const bytes = await closing(file, () => readFully(file, 0, idBytesMax));
    return Buffer.from(bytes).toString("latin1").trim();
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** The file appears whole, and of several who make one at once the first does. */
async function write({ root, files, folders, staging }: StorageIdParts): Promise<void> {
  await staging.write(
    (file) => writeFully(file, Buffer.from(`${randomBytes(16).toString("hex")}\n`)),
    async (temporary) => {
      await files.link(temporary, join(root, "id")).catch((error: unknown) => {
        if (errorCode(error) !== "EEXIST") throw error;
      });
      await files.unlink(temporary).catch(() => {});
    },
  );
  await folders.flush(root);
}
