import { ListObjectsV2Command, type ListObjectsV2CommandOutput } from "@aws-sdk/client-s3";
import type { ObjectInfo } from "@graviton/ports/object-store";
import type { S3Bucket } from "./bucket.ts";
import { writtenKey } from "./object-keys.ts";
import { plainEtag, wholeSeconds } from "./object-reader.ts";

/** What is listed, in keys that begin with `folder`; all others are keys below it. */
export interface ListSource {
  readonly bucket: S3Bucket;
  readonly folder: string;
  /** Entries of one page at most. */
  readonly pageEntries: number;
  readonly signal: AbortSignal | undefined;
}

/** An object. */
export interface Listed {
  readonly key: string;
  readonly info: Omit<ObjectInfo, "locator">;
}

/** An object, or a folder: the beginning of some keys up to a slash. */
export type ListEntry = Listed | { readonly key: string; readonly info: undefined };

export interface ListPagesOptions {
  /** The beginning of the keys. */
  readonly prefix: string;
  /** Only what S3 lists after this key. */
  readonly after?: string | undefined;
  /** Whether a folder below the prefix stands for all that is in it. */
  readonly inFolders?: boolean;
}

/** The pages as S3 gives them; of each the objects come before the folders. */
export async function* listPages(
  { bucket, folder, pageEntries, signal }: ListSource,
  { prefix, after, inFolders = false }: ListPagesOptions,
): AsyncGenerator<ListEntry[], void, void> {
  let token: string | undefined;
  do {
    const command = new ListObjectsV2Command({
      Bucket: bucket.name,
      Prefix: folder + prefix,
      MaxKeys: pageEntries,
      // XML has no way to write some characters that a path may have.
      EncodingType: "url",
      ...(inFolders ? { Delimiter: "/" } : {}),
      ...(after === undefined ? {} : { StartAfter: folder + after }),
      ...(token === undefined ? {} : { ContinuationToken: token }),
    });
    const page = await bucket.send(command, signal);
    yield entriesIn(page).map((entry) => ({ ...entry, key: entry.key.slice(folder.length) }));
    token = page.IsTruncated ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
}

function entriesIn({ Contents = [], CommonPrefixes = [], EncodingType }: ListObjectsV2CommandOutput): ListEntry[] {
  const objects = Contents.map(({ Key = "", Size = 0, LastModified, ETag }) => ({
    key: writtenKey(Key, EncodingType),
    info: { size: Size, modifiedAt: wholeSeconds(LastModified), etag: plainEtag(ETag) },
  }));
  const folders = CommonPrefixes.map(({ Prefix = "" }) => ({ key: writtenKey(Prefix, EncodingType), info: undefined }));
  return [...objects, ...folders];
}
