/** Reads YAML files that people write: safely, with line and column of every value, with suggestions. */

export { type Finding, formatFinding } from './finding.ts';
export { isKept, isMultipleOf, type LostNumber, lostText, readJson } from './numbers.ts';
export type { Place, YamlPath } from './places.ts';
export { didYouMean, listOf, shorten, suggestion } from './words.ts';
export { parseYaml, readYamlFile, type YamlFile, type YamlResult } from './yaml-file.ts';
