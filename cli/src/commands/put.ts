import type { BlobReceipt, BlobStore } from "@graviton/ports/blob-store";
import { formatKey } from "@graviton/ports/key";
import { mapInOrder } from "@graviton/ports/map-in-order";
import type { BlobWritePlan } from "@graviton/ports/plan";
import type { Command } from "commander";
import { exitOk } from "../exit-codes.ts";
import { concernsOneItem, usageError } from "../failure.ts";
import { printable } from "../printable.ts";
import type { Progress } from "../progress.ts";
import { PutTotal } from "../put-total.ts";
import type { Session } from "../session.ts";
import { isFolder, type NamedUpload, uploadsOf } from "../uploads.ts";
import { type PlanOptions, planOf, withPlan } from "../write-plan.ts";

/** Files on their way at once. */
const putConcurrency = 4;

/** Things that a folder's put skips and names; of the rest it tells the number. */
const skippedNamedMax = 3;

const help = `
Prints the key of each blob; for a folder, or several paths, the key and the path. Folders are stored file by file;
symbolic links in them are not followed. What is stored already is not stored again.

Examples:
  $ graviton put README.md
  $ tar c photos | graviton put - --name photos.tar
  $ graviton put photos/ --json
  $ graviton put access.log --chunker delimiter --delimiter '\\n'`;

/** `graviton put`. */
export function addPut(program: Command, session: Session): void {
  const command = program
    .command("put")
    .description("store files, folders or standard input, and print their keys")
    .argument("<path...>", "files and folders, or - for standard input");
  withPlan(command)
    .addHelpText("after", help)
    .action((paths: string[], options: PlanOptions) => put(session, paths, options));
}

async function put(session: Session, paths: readonly string[], options: PlanOptions): Promise<void> {
  const plan = planOf(options);
  const single = paths.length === 1 && !(await isFolder(paths[0] ?? ""));
  if (!single) checkOneFile(options);
  if (paths.filter((path) => path === "-").length > 1) throw usageError("standard input can be read once: give - once");

  const uploads: NamedUpload[] = [];
  await session.forEach(paths, async (path) => {
    const skipped: string[] = [];
    uploads.push(...(await uploadsOf(path, (note) => skipped.push(note))));
    for (const note of skipped.slice(0, skippedNamedMax)) session.note(note);
    if (skipped.length > skippedNamedMax) session.note(`skipped ${skipped.length - skippedNamedMax} more`);
  });
  if (uploads.length === 0 && session.exitCode !== exitOk) return;
  await using blobs = (await session.stores()).blobs();
  await putAll({ session, blobs, plan, single }, uploads);
}

/** What is the same for every upload of one run. */
interface Run {
  readonly session: Session;
  readonly blobs: BlobStore;
  readonly plan: BlobWritePlan;
  /** Whether there is just one blob, whose path need not be told. */
  readonly single: boolean;
}

async function putAll(run: Run, uploads: readonly NamedUpload[]): Promise<void> {
  const { session } = run;
  using progress = session.progress(totalOf(uploads));
  const total = new PutTotal();
  const outcomes = mapInOrder(uploads, { concurrency: putConcurrency }, (upload) => putOne(run, progress, upload));
  for await (const { upload, receipt, error } of outcomes) {
    progress.clear();
    if (receipt === undefined) {
      session.fail(error);
      continue;
    }
    total.add(receipt);
    await printReceipt(run, upload, receipt);
  }
  progress.clear();
  const nothingStored = total.files === 0 && session.exitCode !== exitOk;
  if (!session.output.json && !nothingStored) session.note(total.summary());
}

/** What became of one upload; the error is there when there is no receipt. */
interface Outcome {
  readonly upload: NamedUpload;
  readonly receipt?: BlobReceipt;
  readonly error?: unknown;
}

async function putOne({ session, blobs, plan }: Run, progress: Progress, upload: NamedUpload): Promise<Outcome> {
  const attributes = { ...plan.attributes, name: plan.attributes?.name ?? upload.name };
  const counted = { ...upload, open: () => progress.counted(upload.open()) };
  const { putVerified } = await import("@graviton/client/verification");
  try {
    const receipt = await putVerified(blobs, { ...plan, attributes }, counted, session.call);
    progress.finished(receipt.confirmed.key.size, receipt.freshBytes);
    return { upload, receipt };
  } catch (error) {
    if (!concernsOneItem(error)) throw error;
    return { upload, error };
  }
}

function printReceipt({ session, single }: Run, { path }: NamedUpload, receipt: BlobReceipt): Promise<void> {
  const { freshBlocks, duplicateBlocks, freshBytes, confirmed } = receipt;
  const key = formatKey(confirmed.key);
  const record = {
    path,
    key,
    size: confirmed.key.size,
    blocks: confirmed.blockCount,
    freshBlocks,
    duplicateBlocks,
    freshBytes,
  };
  return session.output.print(single ? key : `${key}  ${printable(path)}`, record);
}

function checkOneFile({ expect, name }: PlanOptions): void {
  if (expect !== undefined) throw usageError("--expect goes with one file, or with -");
  if (name !== undefined) throw usageError("--name goes with one file, or with -");
}

function totalOf(uploads: readonly NamedUpload[]): number | undefined {
  return uploads.reduce<number | undefined>((sum, { totalBytes }) => {
    return sum === undefined || totalBytes === undefined ? undefined : sum + totalBytes;
  }, 0);
}
