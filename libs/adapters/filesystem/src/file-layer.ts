import * as files from "node:fs/promises";

/** The file operations that this adapter stands on, so that a test can watch them and make each of them fail. */
export type FileLayer = Pick<
  typeof files,
  "copyFile" | "link" | "lstat" | "mkdir" | "open" | "readdir" | "realpath" | "rename" | "rmdir" | "unlink"
>;

/** Node's own. */
export const nodeFiles: FileLayer = files;
