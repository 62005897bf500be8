import { type Attributes, checkAttributes } from "./attributes.ts";
import { checkKey, type HashAlgorithm, hashAlgorithms, isHashAlgorithm, type Key } from "./key.ts";
import { blockBytesMax } from "./limits.ts";
import { checkLocator, type Locator } from "./locator.ts";
import { StorageError } from "./storage-error.ts";

/**
 * How a stream is cut into blocks. The boundaries depend on the bytes and the plan alone, never on how the input
 * was cut into frames.
 */
export type ChunkerPlan = FastCdcPlan | FixedPlan | DelimiterPlan;

/**
 * Content-defined chunking, FastCDC 2020 (Xia et al., "The Design of Fast Content-Defined Chunking for Data
 * Deduplication Based Storage Systems", IEEE TPDS 2020), with the parameters that the Remote Execution API
 * standardises: an insertion moves the boundaries near it and no others.
 */
export interface FastCdcPlan {
  readonly kind: "fastcdc";
  /** 1 KiB to 4 MiB; 512 KiB when absent. */
  readonly averageBytes?: number | undefined;
  /** 64 bytes up to the average; a quarter of the average when absent. With an odd one, blocks may be one byte shorter. */
  readonly minimumBytes?: number | undefined;
  /** From the average up to 16 MiB; four times the average when absent. */
  readonly maximumBytes?: number | undefined;
  /** 0 to 3: how tightly sizes gather around the average; 2 when absent. */
  readonly normalization?: number | undefined;
  /** Exclusive-ored into the gear table, so that boundaries cannot be told without it. 0 to 2^64 - 1; 0 when absent. */
  readonly seed?: bigint | undefined;
}

/** Every block of the same size but the last. */
export interface FixedPlan {
  readonly kind: "fixed";
  /** 1 byte to 16 MiB; 1 MiB when absent. */
  readonly blockBytes?: number | undefined;
}

/** A block ends where the delimiter stands, or at the maximum. */
export interface DelimiterPlan {
  readonly kind: "delimiter";
  /** 1 to 1,024 bytes; a newline when absent. */
  readonly delimiter?: Uint8Array | undefined;
  /** Which block the delimiter belongs to: the one that it ends (true, when absent) or the one that follows. */
  readonly include?: boolean | undefined;
  /** The largest block, 1 KiB to 16 MiB; 1 MiB when absent. */
  readonly maximumBytes?: number | undefined;
}

/**
 * What to do with a block that is stored already: `skip` leaves the copy that is there, `rewrite` replaces it, which
 * heals a copy that went bad.
 */
export type DuplicatePolicy = "skip" | "rewrite";

/** What the writer of a blob asks for. */
export interface BlobWritePlan {
  /** fastcdc with its defaults when absent. */
  readonly chunker?: ChunkerPlan | undefined;
  /** Names the blob and its blocks; blake3 when absent. */
  readonly algorithm?: HashAlgorithm | undefined;
  readonly attributes?: Attributes | undefined;
  /** What the bytes must turn out to be; anything else is HASH_MISMATCH, and nothing becomes visible. */
  readonly expected?: Key | undefined;
  /** Where the writer would like the bytes to live. A wish: stores with one place have no choice. */
  readonly locatorHint?: Locator | undefined;
  /** `skip` when absent. */
  readonly duplicates?: DuplicatePolicy | undefined;
}

/** What the writer of blocks asks for. */
export interface BlockWritePlan {
  /** Names the blocks that come without a key; blake3 when absent. */
  readonly algorithm?: HashAlgorithm | undefined;
  /** `skip` when absent. */
  readonly duplicates?: DuplicatePolicy | undefined;
  /** `whole` when absent. */
  readonly framing?: BlockFraming | undefined;
}

/**
 * How the input of `putBlocks` falls into blocks: `whole`, each item is one block; `fixed`, the items are one stream
 * of bytes, which the store cuts every `blockBytes`.
 */
export type BlockFraming =
  | { readonly kind: "whole" }
  | { readonly kind: "fixed" /** 1 byte to 16 MiB. */; readonly blockBytes: number };

/** Default average of `fastcdc`, in bytes. */
export const fastCdcAverageBytesDefault = 512 * 1024;

/** Default block of `fixed`, and default maximum of `delimiter`, in bytes. */
export const fixedBlockBytesDefault = 1024 * 1024;

const delimiterBytesMax = 1024;

/** A plan with every field in place. */
export interface ResolvedBlobWritePlan extends BlobWritePlan {
  readonly chunker: ResolvedChunkerPlan;
  readonly algorithm: HashAlgorithm;
  readonly attributes: Attributes;
  readonly duplicates: DuplicatePolicy;
}

/** A chunker plan with every field in place. */
export type ResolvedChunkerPlan =
  | Required<Defined<FastCdcPlan>>
  | Required<Defined<FixedPlan>>
  | Required<Defined<DelimiterPlan>>;

type Defined<T> = { readonly [K in keyof T]: Exclude<T[K], undefined> };

/**
 * Fills in the defaults and checks every field.
 *
 * @throws StorageError INVALID_ARGUMENT naming the field, its value and its bounds
 */
export function resolveBlobWritePlan(plan: BlobWritePlan): ResolvedBlobWritePlan {
  const expected = plan.expected === undefined ? undefined : checkKey(plan.expected);
  const algorithm = checkAlgorithm(plan.algorithm ?? expected?.algorithm ?? "blake3");
  if (expected !== undefined && expected.algorithm !== algorithm) {
    throw invalid(`the expected key is ${expected.algorithm}, but the plan hashes with ${algorithm}`);
  }
  return {
    chunker: resolveChunkerPlan(plan.chunker ?? { kind: "fastcdc" }),
    algorithm,
    attributes: checkAttributes(plan.attributes ?? {}),
    duplicates: checkDuplicates(plan.duplicates ?? "skip"),
    expected,
    locatorHint: plan.locatorHint === undefined ? undefined : checkLocator(plan.locatorHint),
  };
}

/** A block plan with every field in place. */
export type ResolvedBlockWritePlan = Required<Defined<BlockWritePlan>>;

/** As {@link resolveBlobWritePlan}, for blocks. */
export function resolveBlockWritePlan(plan: BlockWritePlan): ResolvedBlockWritePlan {
  const framing = plan.framing ?? { kind: "whole" };
  if (framing.kind === "fixed") checkBounds("blockBytes", framing.blockBytes, 1, blockBytesMax);
  else if (framing.kind !== "whole") throw invalid(`unknown framing ${JSON.stringify(framing)}: use whole or fixed`);
  return {
    algorithm: checkAlgorithm(plan.algorithm ?? "blake3"),
    duplicates: checkDuplicates(plan.duplicates ?? "skip"),
    framing,
  };
}

/** As {@link resolveBlobWritePlan}, for the chunker alone. */
export function resolveChunkerPlan(plan: ChunkerPlan): ResolvedChunkerPlan {
  switch (plan.kind) {
    case "fastcdc":
      return resolveFastCdc(plan);
    case "fixed": {
      const blockBytes = plan.blockBytes ?? fixedBlockBytesDefault;
      return { kind: "fixed", blockBytes: checkBounds("blockBytes", blockBytes, 1, blockBytesMax) };
    }
    case "delimiter":
      return resolveDelimiter(plan);
    default:
      throw invalid(
        `unknown chunker ${JSON.stringify((plan as { kind: unknown }).kind)}: use fastcdc, fixed or delimiter`,
      );
  }
}

function resolveFastCdc(plan: FastCdcPlan): ResolvedChunkerPlan {
  const average = checkBounds("averageBytes", plan.averageBytes ?? fastCdcAverageBytesDefault, 1024, blockBytesMax / 4);
  const seed = plan.seed ?? 0n;
  if (typeof seed !== "bigint" || seed < 0n || seed >= 1n << 64n) {
    throw invalid(`seed ${seed} must be between 0 and 2^64 - 1`);
  }
  return {
    kind: "fastcdc",
    averageBytes: average,
    minimumBytes: checkBounds("minimumBytes", plan.minimumBytes ?? Math.floor(average / 4), 64, average),
    maximumBytes: checkBounds("maximumBytes", plan.maximumBytes ?? average * 4, average, blockBytesMax),
    normalization: checkBounds("normalization", plan.normalization ?? 2, 0, 3),
    seed,
  };
}

function resolveDelimiter(plan: DelimiterPlan): ResolvedChunkerPlan {
  const delimiter = plan.delimiter ?? Uint8Array.of(0x0a);
  if (delimiter.length < 1 || delimiter.length > delimiterBytesMax) {
    throw invalid(`a delimiter of ${delimiter.length} bytes must have 1 to ${delimiterBytesMax}`);
  }
  const maximumBytes = checkBounds("maximumBytes", plan.maximumBytes ?? fixedBlockBytesDefault, 1024, blockBytesMax);
  return { kind: "delimiter", delimiter, include: plan.include ?? true, maximumBytes };
}

function checkAlgorithm(algorithm: string): HashAlgorithm {
  if (isHashAlgorithm(algorithm)) return algorithm;
  throw invalid(`unknown hash algorithm ${JSON.stringify(algorithm)}: use ${hashAlgorithms.join(" or ")}`);
}

function checkDuplicates(duplicates: DuplicatePolicy): DuplicatePolicy {
  if (duplicates === "skip" || duplicates === "rewrite") return duplicates;
  throw invalid(`unknown duplicates policy ${JSON.stringify(duplicates)}: use skip or rewrite`);
}

function checkBounds(field: string, value: number, least: number, most: number): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw invalid(`${field} ${value} must be a whole number between ${least} and ${most}`);
}

function invalid(message: string): StorageError {
  return new StorageError("INVALID_ARGUMENT", message);
}
