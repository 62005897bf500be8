import { writeTargetFile } from "@graviton/client/target-file";
import type { Session } from "./session.ts";

/**
 * Takes a stream to where the command line wants it: to the file, whole or not at all, or to standard output.
 *
 * @param path a file; undefined or `-` for standard output
 * @param size bytes to come, for the progress line
 */
export async function deliver(
  session: Session,
  source: AsyncIterable<Uint8Array>,
  path: string | undefined,
  size: number | undefined,
): Promise<void> {
  const toOutput = path === undefined || path === "-";
  using progress = session.progress(size, toOutput);
  const counted = progress.counted(source);
  if (!toOutput) return writeTargetFile(path, counted);
  for await (const bytes of counted) await session.output.bytes(bytes);
}
