import type { Capabilities } from "@graviton/ports/capabilities";

/**
 * The promises of one port, as data: a test runner runs them, a smoke check runs them against a live service, and they
 * print as the specification.
 */
export interface Contract<Port> {
  /** The port's name, `BlockStore`. */
  readonly port: string;
  readonly clauses: readonly Clause<Port>[];
}

/** One promise. */
export interface Clause<Port> {
  /** The promise as a sentence. */
  readonly says: string;
  /** What the subject must offer for the clause to apply; where it does not, the clause is left out. */
  readonly needs?: keyof Capabilities | "damage" | "isolation";
  /** Resolves when the promise is kept, and throws when it is broken. The harness is empty unless the subject is a live service. */
  check(harness: Harness<Port>): Promise<void>;
}

/** Something that a contract can be checked on: an adapter, directly or over the wire. */
export interface Subject<Port> {
  /** The adapter's name, `LevelKeyValueStore over gRPC`. */
  readonly name: string;
  /** The adapter's own exported constant, never the test's opinion. */
  readonly capabilities: Capabilities;
  /** True when nobody else uses the storage, so that a clause may count what is there, and leave much behind. */
  readonly isolated: boolean;
  /** True when the harness can damage what is stored. */
  readonly damageable: boolean;
  /** A new, empty place. */
  start(): Promise<Harness<Port>>;
}

/** One place where clauses are checked; disposing it removes what they left. */
export interface Harness<Port> extends AsyncDisposable {
  /** A handle on the storage. Every handle of one harness sees the same storage. The caller disposes it. */
  open(): Promise<Port>;
  /** Damages what is stored under a name, as a failing disk would. Only where the subject is damageable. */
  damage(name: string, how?: Damage): Promise<void>;
}

/**
 * `flipped`, the default: some of the stored bits are wrong. `lost`: what was stored is gone, behind the back of the
 * store; asked only of a BlobStore's harness, about one of its blocks, since elsewhere that is what delete does.
 */
export type Damage = "flipped" | "lost";

/** A clause that one handle is enough for: opens it, checks, disposes it. */
export function clauseOf<Port extends AsyncDisposable>(
  says: string,
  check: (store: Port, harness: Harness<Port>) => Promise<void>,
  needs?: Clause<Port>["needs"],
): Clause<Port> {
  return {
    says,
    ...(needs === undefined ? {} : { needs }),
    async check(harness) {
      await using store = await harness.open();
      await check(store, harness);
    },
  };
}

/** The clauses that apply to the subject. */
export function applicable<Port>(contract: Contract<Port>, subject: Subject<Port>): Clause<Port>[] {
  return contract.clauses.filter((clause) => applies(clause, subject));
}

function applies<Port>(clause: Clause<Port>, subject: Subject<Port>): boolean {
  switch (clause.needs) {
    case undefined:
      return true;
    case "damage":
      return subject.damageable;
    case "isolation":
      return subject.isolated;
    default:
      return subject.capabilities[clause.needs];
  }
}
