// What is in a span of time, of lists that are in the order of their beginnings: found by halving, without looking at the rest.

/** How long the longest stretch of a list is. @type {WeakMap<readonly Span[], number>} */
const longest = new WeakMap();

/** How many begin before a time. @param {readonly Span[]} list @param {number} ms */
function before(list, ms) {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (/** @type {Span} */ (list[middle]).from < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Those of a list that overlap a span, its two ends included. A list is looked through once, and put in order if it is in none.
 * @template {Span} T @param {T[] | undefined} list @param {number} from @param {number} [to] @returns {T[]}
 */
export function within(list, from, to = from) {
  if (!list || list.length === 0) return [];
  let length = longest.get(list);
  if (length === undefined) {
    list.sort((a, b) => a.from - b.from);
    length = list.reduce((most, one) => Math.max(most, one.to - one.from), 0);
    longest.set(list, length);
  }
  return list.slice(before(list, from - length), before(list, to + 0.001)).filter((one) => one.to >= from);
}
