import { type Locator, type LocatorScheme, locatorSchemes } from "@graviton/ports/locator";
import type { ImmutableObjectStore } from "@graviton/ports/object-store";
import { hasReason } from "@graviton/ports/storage-error";
import { freshName } from "./content.ts";

/** The bucket that the clauses write to. */
export const bucket = "conformance";

/** A place of a clause's own in the store, whatever its technology. */
export interface OwnLocators {
  readonly scheme: LocatorScheme;
  /** The beginning of all its paths, which ends in a slash. */
  readonly root: string;
  /** The locator of a path below the root. */
  at(path: string): Locator;
}

/** Finds out which scheme the store holds, by asking it: one contract runs on every technology. */
export async function ownLocators(store: ImmutableObjectStore): Promise<OwnLocators> {
  const root = `${freshName()}/`;
  for (const scheme of locatorSchemes) {
    if (await holds(store, { scheme, bucket, path: `${root}probe` })) {
      return { scheme, root, at: (path) => ({ scheme, bucket, path: root + path }) };
    }
  }
  throw new Error("the store refuses every scheme that a locator may have");
}

/** Any scheme but this one. */
export function foreignScheme(scheme: LocatorScheme): LocatorScheme {
  return scheme === "mem" ? "fs" : "mem";
}

async function holds(store: ImmutableObjectStore, locator: Locator): Promise<boolean> {
  try {
    await store.head(locator);
    return true;
  } catch (error) {
    if (hasReason(error, "NOT_FOUND")) return true;
    if (hasReason(error, "INVALID_ARGUMENT")) return false;
    throw error;
  }
}
