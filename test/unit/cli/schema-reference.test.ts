/** The line that names a file's schema to editors: relative as long as package and file move together. */

import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { schemaLine, withSchemaLine } from '../../../core/cli/schema-reference.ts';

function folder(): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'aiq-schema-')));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return dir;
}

const start = '# yaml-language-server: $schema=';

test('a package that is installed above the file is named relative to it', () => {
  const dir = folder();
  const root = join(dir, 'node_modules', '@aiq', 'aiq');
  mkdirSync(root, { recursive: true });
  const agent = join(dir, 'essays', 'agents', 'x');
  expect(schemaLine(root, 'agent.schema.json', agent)).toBe(
    `${start}../../../node_modules/@aiq/aiq/schema/agent.schema.json`,
  );
});

test('inside a clone the path stays in the clone; elsewhere it is whole', () => {
  const dir = folder();
  const clone = join(dir, 'clone');
  mkdirSync(clone);
  expect(schemaLine(clone, 's.json', join(clone, 'agents', 'x'))).toBe(
    `${start}../../schema/s.json`,
  );
  const elsewhere = join(dir, 'clone-of-another');
  expect(schemaLine(clone, 's.json', elsewhere)).toBe(`${start}${clone}/schema/s.json`);
});

test('a text gets the line in place of its own, or in front', () => {
  expect(withSchemaLine(`${start}old\nname: x\n`, `${start}$&new`)).toBe(
    `${start}$&new\nname: x\n`,
  );
  expect(withSchemaLine('name: x\n', `${start}new`)).toBe(`${start}new\nname: x\n`);
});

test('a path with white space, at which editors would stop reading, is told as an address', () => {
  const clone = join(folder(), 'my clone');
  mkdirSync(clone);
  const line = schemaLine(clone, 's.json', join(clone, '..', 'elsewhere'));
  expect(line).toBe(`${start}${pathToFileURL(join(clone, 'schema', 's.json')).href}`);
  expect(line.slice(start.length)).toMatch(/^file:\S+$/);
});
