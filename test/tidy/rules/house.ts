/** Rules that hold for every file, as functions from sources to sentences about what breaks them. */

import { posix } from 'node:path';
import type { Sources } from './repository.ts';
import { readSourceText } from './source-text.ts';

/** Sources that do not begin with a comment of at least a short sentence. */
export function headCommentProblems(sources: Sources): string[] {
  return [...sources]
    .filter(([, source]) => {
      const head = /^(?:#!.*\n)?\/\*\*(?<text>[\s\S]*?)\*\//.exec(source)?.groups?.['text'] ?? '';
      return head.replace(/[\s*]+/g, ' ').trim().length < 15;
    })
    .map(([path]) => `${path} does not begin with a comment that says what it owns`);
}

const noteToSelf = /\b(?:TODO|FIXME|XXX)\b/;
const silencer = /@ts-(?:ignore|nocheck|expect-error)|(?:oxlint|eslint)-disable|biome-ignore/;
const silentTest = /\b(?:test|it|describe)(?:\.\w+)*\.(?:only|skip|todo|fails)\b/;

/** Notes to self, switched-off checks, and tests that are left out without saying why. */
export function leftovers(sources: Sources): string[] {
  const problems: string[] = [];
  for (const [path, source] of sources) {
    const codeLines = readSourceText(source).bare.split('\n');
    for (const [index, line] of source.split('\n').entries()) {
      if (noteToSelf.test(line) || silencer.test(line) || silentTest.test(codeLines[index] ?? '')) {
        problems.push(`${path}:${index + 1}: ${line.trim()}`);
      }
    }
  }
  return problems;
}

/** Layers without a door, and doors that hide what they are for. */
export function doorProblems(sources: Sources): string[] {
  const layers = new Set([...sources.keys()].flatMap((path) => /^core\/[^/]+\//.exec(path) ?? []));
  return [...layers].flatMap((layer) => {
    const door = sources.get(`${layer}index.ts`);
    if (door === undefined) return [`${layer} has no index.ts`];
    const problems: string[] = [];
    if (!/^\/\*\* .+ \*\/\n/.test(door)) problems.push('must begin with its duty in one line');
    if (/export \*/.test(door)) problems.push('must name what it exports');
    return problems.map((problem) => `${layer}index.ts ${problem}`);
  });
}

/** Files that a folder may hold beside its sub-folders, so that a reader sees all of them at once. */
export const folderFilesMax = 15;

/** Folders with more files, unless a README.md in them gives the reason. */
export function folderProblems(paths: readonly string[]): string[] {
  const files = Map.groupBy(paths, (path) => posix.dirname(path));
  return [...files]
    .filter(([folder, inside]) => {
      return inside.length > folderFilesMax && !inside.includes(`${folder}/README.md`);
    })
    .map(([folder, inside]) => `${folder} has ${inside.length} files: give it rooms`);
}

const machinePath = /(?<![\w.:/-])\/(?:(?:home|Users|work)\/\w|root\/\.)[\w.-]*/;

/** Texts that name a folder of somebody's machine. */
export function machinePaths(sources: Sources): string[] {
  return [...sources].flatMap(([path, source]) => {
    const found = machinePath.exec(source);
    return found === null ? [] : [`${path}: ${found[0]}`];
  });
}

/** Packages of a lock file that could be answered with other bytes, or that tie it to one registry. */
export function lockProblems(lock: string): string[] {
  const { packages } = JSON.parse(lock) as {
    packages: Record<string, { version?: string; integrity?: string; resolved?: string }>;
  };
  return Object.entries(packages).flatMap(([folder, { version, integrity, resolved }]) => [
    ...(folder !== '' && version === undefined ? [`${folder} has no version`] : []),
    ...(folder !== '' && integrity === undefined ? [`${folder} has no checksum`] : []),
    ...(resolved === undefined ? [] : [`${folder} names a registry`]),
  ]);
}
