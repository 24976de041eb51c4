/**
 * What a file of a result may be called: the rules, for the patterns of agents and for publishing. A
 * path that passes means the same on every file system, hidden files and reserved names of Windows included.
 */

const segmentBytesMax = 200;
const pathBytesMax = 1024;
const segmentsMax = 32;

const reservedName = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(\.|$)/i;
/** Control characters, line separators, and marks that turn the direction of writing. */
export const unprintable: RegExp =
  /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;

/** One rule per line: what a segment must not be, and how to say it. */
const segmentRules: readonly {
  readonly broken: (segment: string) => boolean;
  readonly why: string;
}[] = [
  { broken: (segment) => segment === '', why: 'has an empty part' },
  { broken: (segment) => segment === '..', why: 'leaves the output folder ("..")' },
  { broken: (segment) => segment.startsWith('.'), why: 'has a part that begins with a dot' },
  {
    broken: (segment) => /[. ]$|^ /.test(segment),
    why: 'has a part with a dot or space at its edge',
  },
  { broken: (segment) => segment.search(unprintable) !== -1, why: 'has a control character' },
  { broken: (segment) => /[\\:]/.test(segment), why: 'has a backslash or a colon' },
  { broken: (segment) => reservedName.test(segment), why: 'has a name that Windows reserves' },
  {
    broken: (segment) => Buffer.byteLength(segment) > segmentBytesMax,
    why: `has a part of more than ${segmentBytesMax} bytes`,
  },
];

/** What is wrong with a path in its normal form (NFC), relative to the output folder; null when nothing is. */
export function outputPathProblem(path: string): string | null {
  if (!path.isWellFormed()) return 'is not valid Unicode';
  if (path === '') return 'is empty';
  if (path.startsWith('/')) return 'is absolute';
  if (Buffer.byteLength(path) > pathBytesMax) return `has more than ${pathBytesMax} bytes`;
  const segments = path.split('/');
  if (segments.length > segmentsMax) return `has more than ${segmentsMax} parts`;
  const broken = segmentRules.find((rule) => segments.some(rule.broken));
  return broken?.why ?? null;
}
