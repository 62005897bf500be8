import type { Harness, Subject } from "@graviton/conformance/contract";
import { abortError } from "@graviton/ports/call-options";
import { hasReason } from "@graviton/ports/storage-error";
import { type Command, Option } from "commander";
import { CommandError, failureOf } from "../failure.ts";
import type { LiveCheck } from "../live-checks.ts";
import type { RemoteStores } from "../remote-stores.ts";
import type { Session } from "../session.ts";

const help = `
Checks every promise of every port on a service that runs, and prints each as ok or FAILED. It stores content and
names of its own, and removes the names; some 40 MiB of blocks stay, and notes of them. Left out is what would need a
restart, damage, or a service that nobody uses, and each port that the service has not, or only shows.

Examples:
  $ graviton conform
  $ graviton conform http://127.0.0.1:7480 | grep FAILED
  $ graviton conform http://127.0.0.1:7483 --only KeyValueStore`;

/** `graviton conform`. */
export function addConform(program: Command, session: Session): void {
  program
    .command("conform")
    .description("check that a running service keeps every promise")
    .argument("[url]", "the service to check (that of --endpoint)")
    .addOption(new Option("--only <port...>", "just the promises of these ports").choices(ports))
    .addHelpText("after", help)
    .action((url: string | undefined, { only }: ConformOptions) => conform(session, url, new Set(only ?? ports)));
}

const ports = [
  ...["BlobStore", "BlockStore", "ManifestStore", "MutableObjectStore"],
  ...["ReplicaIndex", "RangeTracker", "KeyValueStore"],
];

interface ConformOptions {
  readonly only?: readonly string[];
}

/** How many clauses went which way. */
interface Count {
  kept: number;
  failed: number;
  leftOut: number;
}

async function conform(session: Session, url: string | undefined, only: ReadonlySet<string>): Promise<void> {
  const checks = await import("../live-checks.ts");
  const stores = await session.stores(url);
  await expectAnswer(session, stores);
  const count: Count = { kept: 0, failed: 0, leftOut: 0 };
  const check = async <Port extends AsyncDisposable>(live: LiveCheck<Port>) => {
    if (only.has(live.contract.port)) await checkLive(session, stores, live, count);
  };
  await check(checks.blobCheck);
  await check(checks.blockCheck);
  await check(checks.manifestCheck);
  await check(checks.objectCheck);
  await check(checks.replicaCheck);
  await check(checks.rangeCheck);
  await check(checks.keyValueCheck);
  const { kept, failed, leftOut } = count;
  await session.output.print(`${kept} ok, ${failed} FAILED, ${leftOut} left out`, count);
  if (kept + failed === 0) throw new CommandError("FAILED", "nothing was checked: the service has none of these ports");
  if (failed > 0) throw new CommandError("FAILED", `${failed} of ${kept + failed} promises are broken`);
}

/** A service that is not there is one failure, and not one of every clause. One that serves other ports answers too. */
async function expectAnswer(session: Session, stores: RemoteStores): Promise<void> {
  await using blobs = stores.blobs();
  try {
    await blobs.findMissing([], session.call);
  } catch (error) {
    if (!hasReason(error, "UNSUPPORTED")) throw error;
  }
}

async function checkLive<Port extends AsyncDisposable>(
  session: Session,
  stores: RemoteStores,
  check: LiveCheck<Port>,
  count: Count,
): Promise<void> {
  const [{ checkContract }, { applicable }] = await Promise.all([
    import("@graviton/conformance/check-contract"),
    import("@graviton/conformance/contract"),
  ]);
  const subject = liveSubject(stores, check);
  const { contract } = check;
  const lacking = await whyLacking(stores, check);
  if (lacking !== undefined) {
    const { port, clauses } = contract;
    count.leftOut += clauses.length;
    await session.output.print(`left out  ${port}: ${lacking}`, { port, leftOut: clauses.length, problem: lacking });
    return;
  }
  count.leftOut += contract.clauses.length - applicable(contract, subject).length;
  for await (const { says, error } of checkContract(contract, subject)) {
    const { port } = contract;
    const ok = error === undefined;
    const problem = ok ? undefined : failureOf(error).message;
    count[ok ? "kept" : "failed"] += 1;
    const line = `${ok ? "ok    " : "FAILED"}  ${port}: ${says}${ok ? "" : `\n        ${problem}`}`;
    await session.output.print(line, { port, says, ok, problem });
    // Between two clauses, so that the last one has tidied up.
    if (session.call.signal?.aborted) throw abortError(session.call.signal);
  }
}

/** What the service says where nobody can write through the port; undefined where the clauses can tell. */
async function whyLacking<Port extends AsyncDisposable>(
  stores: RemoteStores,
  check: LiveCheck<Port>,
): Promise<string | undefined> {
  await using store = check.open(stores);
  try {
    await check.probe(store);
  } catch (error) {
    if (hasReason(error, "UNSUPPORTED")) return failureOf(error).message;
  }
  return undefined;
}

function liveSubject<Port extends AsyncDisposable>(stores: RemoteStores, check: LiveCheck<Port>): Subject<Port> {
  return {
    name: `${check.contract.port} at ${stores.address}`,
    // Only a restart shows the one, and only a second process the other.
    capabilities: { durable: false, exclusive: false },
    isolated: false,
    damageable: false,
    start: async () => liveHarness(stores, check),
  };
}

function liveHarness<Port extends AsyncDisposable>(stores: RemoteStores, check: LiveCheck<Port>): Harness<Port> {
  const names = new Set<string>();
  return {
    open: async () => check.noting(check.open(stores), names),
    damage: () => Promise.reject(new CommandError("FAILED", "a live service is not damaged")),
    [Symbol.asyncDispose]: () => (names.size === 0 ? Promise.resolve() : check.tidy(stores, [...names])),
  };
}
