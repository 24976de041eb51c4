/** One text for one JSON value: keys in the order of their UTF-16 units, no spaces. */

/**
 * The canonical text of a value, so that equal values hash alike.
 * @throws TypeError for what JSON does not hold, such as undefined, functions or infinity
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) return canonicalObject(value);
  const isJson =
    value === null ||
    typeof value === 'string' ||
    typeof value === 'boolean' ||
    (typeof value === 'number' && Number.isFinite(value));
  if (!isJson) throw new TypeError(`a value of type ${typeof value} is not JSON`);
  return JSON.stringify(value);
}

/** A property that is undefined counts as absent, as `JSON.stringify` has it. */
function canonicalObject(object: object): string {
  const entries = Object.entries(object)
    .filter(([, value]) => value !== undefined)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, value]) => `${JSON.stringify(key)}:${canonicalJson(value)}`);
  return `{${entries.join(',')}}`;
}
