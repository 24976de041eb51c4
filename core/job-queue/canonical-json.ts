/** One text for one JSON value: keys in the order of their UTF-16 units, no spaces. */

interface JsonTexts {
  /** Equal for equal values. */
  readonly canonical: string;
  /** With the keys in their own order; the same string where that is the canonical one. */
  readonly asIs: string;
}

/**
 * The canonical text of a value, so that equal values hash alike.
 * @throws TypeError for what JSON does not hold, such as undefined, functions or infinity
 */
export function canonicalJson(value: unknown): string {
  return jsonTexts(value).canonical;
}

/**
 * Both texts of a value, in one pass.
 * @throws TypeError as `canonicalJson` does
 */
export function jsonTexts(value: unknown): JsonTexts {
  if (Array.isArray(value)) return textsOfArray(value);
  if (typeof value === 'object' && value !== null) return textsOfObject(value);
  const isJson =
    value === null ||
    typeof value === 'string' ||
    typeof value === 'boolean' ||
    (typeof value === 'number' && Number.isFinite(value));
  if (!isJson) throw new TypeError(`a value of type ${typeof value} is not JSON`);
  const text = JSON.stringify(value);
  return { canonical: text, asIs: text };
}

function textsOfArray(values: readonly unknown[]): JsonTexts {
  const texts = values.map(jsonTexts);
  const asIs = `[${texts.map((text) => text.asIs).join(',')}]`;
  if (texts.every(isCanonical)) return { canonical: asIs, asIs };
  return { canonical: `[${texts.map(({ canonical }) => canonical).join(',')}]`, asIs };
}

/** A property that is undefined counts as absent, as `JSON.stringify` has it. */
function textsOfObject(object: object): JsonTexts {
  const entries: (JsonTexts & { readonly key: string; readonly name: string })[] = [];
  let isInOrder = true;
  for (const [key, value] of Object.entries(object)) {
    if (value === undefined) continue;
    const texts = jsonTexts(value);
    const before = entries.at(-1);
    isInOrder &&= isCanonical(texts) && (before === undefined || before.key < key);
    entries.push({ key, name: JSON.stringify(key), ...texts });
  }
  const asIs = `{${entries.map(({ name, asIs: text }) => `${name}:${text}`).join(',')}}`;
  if (isInOrder) return { canonical: asIs, asIs };
  const sorted = entries.toSorted((one, other) => (one.key < other.key ? -1 : 1));
  const canonical = `{${sorted.map((entry) => `${entry.name}:${entry.canonical}`).join(',')}}`;
  return { canonical, asIs };
}

function isCanonical({ canonical, asIs }: JsonTexts): boolean {
  return canonical === asIs;
}
