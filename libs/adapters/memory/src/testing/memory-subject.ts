import type { Damage, Harness, Subject } from "@graviton/conformance/contract";
import { memoryCapabilities } from "../capabilities.ts";

/** How to make one of the stores of this package: its storage, and a handle on that. */
export interface MemoryParts<Port, Storage> {
  /** The name of the class. */
  readonly name: string;
  /** New, empty storage. */
  storage(): Storage;
  /** A handle on the storage. */
  open(storage: Storage): Port;
  /** Damages what is stored under a name; absent where the store would not notice. */
  damage?(storage: Storage, name: string, how: Damage): void;
}

/** A store of this package as something that a contract can be checked on. */
export function memorySubject<Port, Storage>(parts: MemoryParts<Port, Storage>): Subject<Port> {
  return {
    name: parts.name,
    capabilities: memoryCapabilities,
    isolated: true,
    damageable: parts.damage !== undefined,
    start: async () => harnessOf(parts, parts.storage()),
  };
}

function harnessOf<Port, Storage>(parts: MemoryParts<Port, Storage>, storage: Storage): Harness<Port> {
  return {
    open: async () => parts.open(storage),
    damage: async (name, how = "flipped") => parts.damage?.(storage, name, how),
    [Symbol.asyncDispose]: async () => {},
  };
}

/** Damages a block in the storage of a MemoryBlockDriver. */
export function damageBlock(storage: Map<string, Uint8Array>, name: string, how: Damage): void {
  const bytes = storage.get(name);
  if (bytes === undefined) throw new Error(`there is no block ${name} to damage`);
  if (how === "lost") storage.delete(name);
  else
    storage.set(
      name,
      bytes.map((byte, index) => (index === 0 ? byte ^ 0x10 : byte)),
    );
}
