import type { ResolvedChunkerPlan } from "@graviton/ports/plan";
import { gearTable, selectMasks } from "./fastcdc-parameters.ts";

/**
 * The lengths of the blocks of a whole stream: FastCDC one byte at a time, in plain arithmetic. It is what the kernel is
 * tested against, and the definition to read first. A 64-bit number is two of 32 bits here, high and low, because
 * bigints are far slower still.
 */
export function fastCdcReference(plan: Extract<ResolvedChunkerPlan, { kind: "fastcdc" }>, bytes: Uint8Array): number[] {
  const gear = gearTable(plan.seed);
  const gearHigh = Uint32Array.from(gear, highHalf);
  const gearLow = Uint32Array.from(gear, lowHalf);
  const masks = selectMasks(plan.averageBytes, plan.normalization);
  const [strictHigh, strictLow] = [highHalf(masks.strict), lowHalf(masks.strict)];
  const [looseHigh, looseLow] = [highHalf(masks.loose), lowHalf(masks.loose)];

  const lengths: number[] = [];
  for (let start = 0; start < bytes.length; start += lengths.at(-1) as number) {
    lengths.push(blockLength(start, Math.min(bytes.length - start, plan.maximumBytes)));
  }
  return lengths;

  function blockLength(start: number, limit: number): number {
    if (limit <= plan.minimumBytes) return limit;
    // Bytes count in pairs, hence the even numbers.
    const average = even(plan.averageBytes);
    const last = even(limit);
    let high = 0;
    let low = 0;
    for (let at = even(plan.minimumBytes); at < last; at += 1) {
      const byte = bytes[start + at] as number;
      high = (high << 1) | (low >>> 31);
      const sum = ((low << 1) >>> 0) + (gearLow[byte] as number);
      low = sum >>> 0;
      const carry = sum > 0xffff_ffff ? 1 : 0;
      high = (high + (gearHigh[byte] as number) + carry) | 0;
      const strict = at < average;
      if ((high & (strict ? strictHigh : looseHigh)) === 0 && (low & (strict ? strictLow : looseLow)) === 0) return at;
    }
    return limit;
  }
}

function highHalf(number: bigint): number {
  return Number(number >> 32n);
}

function lowHalf(number: bigint): number {
  return Number(number & 0xffff_ffffn);
}

function even(bytes: number): number {
  return bytes - (bytes % 2);
}
