import { compareBytes } from "@graviton/ports/byte-order";
import { type ListEntry, type Listed, type ListSource, listPages } from "./list-pages.ts";

/** Where to walk. */
interface Walk {
  /** A folder, which ends in a slash, or all where it is empty. */
  readonly folder: string;
  /** The beginning of the names in it. */
  readonly beginning: string;
  /** Only what comes after this key in the folder. */
  readonly after: string | undefined;
}

/**
 * The objects in the byte order of their keys, of an S3 that lists by the names in each folder, or in that order itself. It
 * costs a request a folder.
 *
 * @param prefix the beginning of the keys
 * @param after only what comes after this key
 */
export async function* walked(
  source: ListSource,
  prefix: string,
  after: string | undefined,
): AsyncGenerator<Listed, void, void> {
  const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1);
  if (isPassed(folder, after)) return;
  yield* walk(source, { folder, beginning: prefix.slice(folder.length), after: within(folder, after) });
}

async function* walk(source: ListSource, where: Walk): AsyncGenerator<Listed, void, void> {
  const { after } = where;
  for await (const entry of inOrder(source, where)) {
    if (entry.info !== undefined) {
      if (after === undefined || isBefore(after, entry.key)) yield entry;
    } else if (!isPassed(entry.key, after)) {
      yield* walk(source, { folder: entry.key, beginning: "", after: within(entry.key, after) });
    }
  }
}

/** Whether all keys of a folder come before another key. */
function isPassed(folder: string, after: string | undefined): boolean {
  return after !== undefined && isBefore(folder, after) && !after.startsWith(folder);
}

/** The key, where it is one in the folder. */
function within(folder: string, key: string | undefined): string | undefined {
  return key !== folder && key?.startsWith(folder) ? key : undefined;
}

/**
 * What is in one folder. S3 gives the folder `a/` before `a!` and `a-b/`, of which the keys come before its own: it is
 * held back until a name is reached that comes after it.
 */
async function* inOrder(source: ListSource, where: Walk): AsyncGenerator<ListEntry, void, void> {
  const { folder, beginning, after } = where;
  // Not the key itself: asked to go on after one in a folder, SeaweedFS forgets which folders it was to list.
  const name = after && folder + nameIn(folder, after);
  let held = await foldersPassed(source, where);
  const passed = new Set(held.map(({ key }) => key));
  for await (const page of listPages(source, { prefix: folder + beginning, after: name, inFolders: true })) {
    held = [...held, ...page.filter(({ key }) => !passed.has(key))].sort((a, b) => compareBytes(a.key, b.key));
    const reached = page.map(({ key }) => key.replace(/\/$/, "")).reduce(later, "");
    const ready = held.findIndex(({ key }) => isBefore(reached, key));
    yield* held.splice(0, ready === -1 ? held.length : ready);
  }
  yield* held;
}

/** The folders that S3 does not list after the name of a key, though not all of their keys come before that key. */
async function foldersPassed(source: ListSource, { folder, beginning, after }: Walk): Promise<ListEntry[]> {
  if (after === undefined) return [];
  const name = nameIn(folder, after);
  // Of `a-b` this is `a` too: the folder `a/` comes after it, and its name before it.
  const shorter = Array.from(name.matchAll(/[\0-.]/g), ({ index }) => name.slice(0, index));
  const names = [...shorter, name].filter((each) => each !== "" && each.startsWith(beginning));
  const found = await Promise.all(names.map((each) => isThere(source, `${folder}${each}/`)));
  return names.filter((_, index) => found[index]).map((each) => ({ key: `${folder}${each}/`, info: undefined }));
}

/** The name in a folder by which the way to a key goes on. */
function nameIn(folder: string, key: string): string {
  return key.slice(folder.length).split("/", 1)[0] ?? "";
}

async function isThere(source: ListSource, folder: string): Promise<boolean> {
  for await (const page of listPages({ ...source, pageEntries: 1 }, { prefix: folder })) {
    if (page.length > 0) return true;
  }
  return false;
}

function later(a: string, b: string): string {
  return isBefore(a, b) ? b : a;
}

function isBefore(a: string, b: string): boolean {
  return compareBytes(a, b) < 0;
}
