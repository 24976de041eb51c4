/** Holds the licences of `docs/internals/releasing.md` against the manifest and the lock file. */

import { expect, test } from 'vitest';
import { section, tableRows } from './rules/markdown.ts';
import { readText } from './rules/repository.ts';

interface Locked {
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
}

const licences = section(readText('docs/internals/releasing.md'), '## Licences');
const { packages } = JSON.parse(readText('package-lock.json')) as {
  packages: Record<string, Locked>;
};
const { dependencies, optionalDependencies = {} } = JSON.parse(readText('package.json')) as {
  dependencies: Record<string, string>;
  optionalDependencies?: Record<string, string>;
};
const shipped = Object.entries(packages).filter(
  ([folder, { dev }]) => folder !== '' && dev !== true,
);
const nameOf = (folder: string): string => folder.slice(folder.lastIndexOf('node_modules/') + 13);

test('docs/internals/releasing.md lists every runtime package, optional ones too, with its licence', () => {
  const expected = Object.keys({ ...dependencies, ...optionalDependencies })
    .sort()
    .map((name) => [name, packages[`node_modules/${name}`]?.license]);
  expect(tableRows(licences)).toEqual(expected);
});

test('docs/internals/releasing.md names every licence and every optional package of an installation', () => {
  const named = new Set(licences.match(/[A-Z][\w.-]+/g));
  const unnamed = shipped.filter(([, { license = 'none' }]) => !named.has(license));
  expect(unnamed.map(([folder, { license }]) => `${folder}: ${license}`)).toEqual([]);
  const optional = shipped.filter(([, it]) => it.optional === true).map(([it]) => nameOf(it));
  expect(optional.filter((name) => !licences.includes(`\`${name}\``))).toEqual([]);
});
