// The inner loop of FastCDC 2020: the gear hash, rolled two bytes a step (section 3.7 of the paper).
// Memory: 256 entries of the gear table, the same 256 shifted left by one, then the window with the bytes to look at.

/** Where the window begins, in bytes. */
export const windowStart: i32 = 4096;

/** How many bytes the window holds: the rest of one page of memory. Stays in a near cache between copy and look. */
export const windowBytes: i32 = 61440;

/** The hash behind the last byte that `scan` looked at, when it met nothing. */
export let hash: u64 = 0;

/**
 * Rolls `start` over the window's bytes from index `from` up to `to`, an even number of them, and gives the index of the
 * byte that makes all bits of the mask zero, or -1. After the first byte of a pair the hash is one bit further to the
 * left than the paper's, and so are the table and the mask that it meets there.
 */
export function scan(from: i32, to: i32, start: u64, mask: u64): i32 {
  const shifted = mask << 1;
  const end = windowStart + to;
  let rolling = start;
  let at = windowStart + from;
  // Four pairs a turn: engines look for interrupts once a turn, which costs as much as a byte.
  for (const last = end - 8; at <= last; at += 8) {
    if (((rolling = (rolling << 2) + shiftedGear(load<u8>(at, 0))) & shifted) == 0) return at - windowStart;
    if (((rolling = rolling + gear(load<u8>(at, 1))) & mask) == 0) return at + 1 - windowStart;
    if (((rolling = (rolling << 2) + shiftedGear(load<u8>(at, 2))) & shifted) == 0) return at + 2 - windowStart;
    if (((rolling = rolling + gear(load<u8>(at, 3))) & mask) == 0) return at + 3 - windowStart;
    if (((rolling = (rolling << 2) + shiftedGear(load<u8>(at, 4))) & shifted) == 0) return at + 4 - windowStart;
    if (((rolling = rolling + gear(load<u8>(at, 5))) & mask) == 0) return at + 5 - windowStart;
    if (((rolling = (rolling << 2) + shiftedGear(load<u8>(at, 6))) & shifted) == 0) return at + 6 - windowStart;
    if (((rolling = rolling + gear(load<u8>(at, 7))) & mask) == 0) return at + 7 - windowStart;
  }
  for (; at < end; at += 2) {
    if (((rolling = (rolling << 2) + shiftedGear(load<u8>(at, 0))) & shifted) == 0) return at - windowStart;
    if (((rolling = rolling + gear(load<u8>(at, 1))) & mask) == 0) return at + 1 - windowStart;
  }
  hash = rolling;
  return -1;
}

// @ts-ignore: decorator
@inline
function gear(byte: u8): u64 {
  return load<u64>((<i32>byte) << 3);
}

// @ts-ignore: decorator
@inline
function shiftedGear(byte: u8): u64 {
  return load<u64>((<i32>byte) << 3, 2048);
}
