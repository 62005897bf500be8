import { type HashAlgorithm, hashAlgorithms, parseKey } from "@graviton/ports/key";
import { type BlobWritePlan, type ChunkerPlan, resolveBlobWritePlan } from "@graviton/ports/plan";
import { type Command, Option } from "commander";
import { bigintArgument, numberArgument, sizeArgument } from "./arguments.ts";
import { parseDelimiter } from "./delimiter.ts";
import { usageError } from "./failure.ts";

/** What the options of `put` say about how to store. */
export interface PlanOptions {
  readonly chunker: ChunkerPlan["kind"];
  readonly average?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly normalization?: number;
  readonly seed?: bigint;
  readonly blockSize?: number;
  readonly delimiter?: Uint8Array;
  readonly excludeDelimiter?: boolean;
  readonly hash?: HashAlgorithm;
  readonly expect?: string;
  readonly contentType?: string;
  readonly name?: string;
  readonly rewrite?: boolean;
}

/** Gives a command the options of a plan. */
export function withPlan(command: Command): Command {
  const sized = (flags: string, says: string) => new Option(flags, says).argParser(sizeArgument);
  return command
    .addOption(
      new Option("--chunker <kind>", "how to cut into blocks")
        .choices(["fastcdc", "fixed", "delimiter"])
        .default("fastcdc"),
    )
    .addOption(sized("--average <size>", "fastcdc: average block (512KiB)"))
    .addOption(sized("--minimum <size>", "fastcdc: smallest block (a quarter of the average)"))
    .addOption(sized("--maximum <size>", "fastcdc, delimiter: largest block (4 times the average; 1MiB)"))
    .addOption(new Option("--normalization <level>", "fastcdc: 0 to 3 (2)").argParser(numberArgument))
    .addOption(new Option("--seed <number>", "fastcdc: 0 to 2^64 - 1 (0)").argParser(bigintArgument))
    .addOption(sized("--block-size <size>", "fixed: every block (1MiB)"))
    .addOption(
      new Option("--delimiter <text>", "delimiter: where a block ends, with \\n \\r \\t \\0 \\xHH (\\n)").argParser(
        parseDelimiter,
      ),
    )
    .option("--exclude-delimiter", "delimiter: it begins the next block instead of ending this one")
    .addOption(new Option("--hash <algorithm>", "what names the content (blake3)").choices(hashAlgorithms))
    .option("--expect <key>", "store only if this is what the bytes are")
    .option("--content-type <type>", "kept with the blob")
    .option("--name <text>", "kept with the blob (the file's name)")
    .option("--rewrite", "send and replace blocks that are stored already, which heals damaged ones");
}

/**
 * The plan that the options ask for, checked before anything is read.
 *
 * @throws CommandError INVALID_ARGUMENT for options that do not go together
 * @throws StorageError INVALID_ARGUMENT for values out of bounds
 */
export function planOf(options: PlanOptions): BlobWritePlan {
  const plan: BlobWritePlan = {
    chunker: chunkerOf(options),
    algorithm: options.hash,
    expected: options.expect === undefined ? undefined : parseKey(options.expect),
    attributes: { contentType: options.contentType, name: options.name },
    duplicates: options.rewrite ? "rewrite" : "skip",
  };
  resolveBlobWritePlan(plan);
  return plan;
}

/** The options of each chunker, as the command line spells them. */
const optionsOfChunker = {
  fastcdc: {
    average: "--average",
    minimum: "--minimum",
    maximum: "--maximum",
    normalization: "--normalization",
    seed: "--seed",
  },
  fixed: { blockSize: "--block-size" },
  delimiter: { delimiter: "--delimiter", excludeDelimiter: "--exclude-delimiter", maximum: "--maximum" },
} as const satisfies Record<ChunkerPlan["kind"], Partial<Record<keyof PlanOptions, string>>>;

function chunkerOf(options: PlanOptions): ChunkerPlan {
  const own: object = optionsOfChunker[options.chunker];
  for (const [name, spelling] of Object.values(optionsOfChunker).flatMap((flags) => Object.entries(flags))) {
    if (Object.hasOwn(own, name) || options[name as keyof PlanOptions] === undefined) continue;
    throw usageError(`${spelling} does not go with --chunker ${options.chunker}`);
  }
  switch (options.chunker) {
    case "fastcdc":
      return {
        kind: "fastcdc",
        averageBytes: options.average,
        minimumBytes: options.minimum,
        maximumBytes: options.maximum,
        normalization: options.normalization,
        seed: options.seed,
      };
    case "fixed":
      return { kind: "fixed", blockBytes: options.blockSize };
    case "delimiter":
      return {
        kind: "delimiter",
        delimiter: options.delimiter,
        include: options.excludeDelimiter !== true,
        maximumBytes: options.maximum,
      };
  }
}
