import xxhash from "xxhash-wasm";

const { h64 } = await xxhash();

/**
 * The order in which nodes are responsible for a key: highest random weight first (Thaler & Ravishankar, "Using
 * Name-Based Mappings to Increase Hit Rates", IEEE/ACM ToN 1998), the weight being XXH64 of name and key. Everybody
 * who knows the same names gets the same order, however they are listed. A node that comes takes its share of the
 * keys, about one in n, evenly from the others; one that goes leaves its keys to the next in the order of each.
 */
export function rank<Node extends { readonly name: string }>(key: string, nodes: readonly Node[]): Node[] {
  if (nodes.length < 2) return [...nodes];
  const weighed = nodes.map((node) => ({ node, weight: h64(`${node.name} ${key}`) }));
  return weighed.sort(heaviestFirst).map(({ node }) => node);
}

interface Weighed {
  readonly node: { readonly name: string };
  readonly weight: bigint;
}

function heaviestFirst(a: Weighed, b: Weighed): number {
  if (a.weight !== b.weight) return a.weight > b.weight ? -1 : 1;
  return a.node.name < b.node.name ? -1 : 1;
}
