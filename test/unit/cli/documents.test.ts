/** Holds docs/reference/cli.md and the help topics against the commands, flags and tables in the code. */

import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { environmentVariables, helpTopics } from '../../../core/cli/commands/help-topics.ts';
import { exitCodes } from '../../../core/cli/exit-codes.ts';
import { allCommands, isLeaf } from '../../support/command-tree.ts';
import { section, tableRows } from '../../tidy/rules/markdown.ts';

const document = readFileSync(new URL('../../../docs/reference/cli.md', import.meta.url), 'utf8');
const [{ command: root }] = await allCommands();

/** The section that describes the command: its own, or that of its family. */
function sectionOf(path: readonly string[]): string {
  return section(document, `## aiq ${path[0]}`);
}

const commands = (await allCommands())
  .filter((one) => isLeaf(one) && one.path !== 'help')
  .map(({ path, command }): [string[], Command] => [path.split(' '), command]);

test.each(commands)(
  'docs/reference/cli.md describes aiq %j with all its flags',
  (path, command) => {
    const text = sectionOf(path);
    expect(text).toContain(`aiq ${path.join(' ')}`);
    const inputFlags = path.includes('render') ? ['--input', '--text', '--set', '--data'] : [];
    for (const { long } of command.options) {
      if (!inputFlags.includes(long ?? '')) expect(text).toContain(`${long}`);
    }
  },
);

test('docs/reference/cli.md names no flag that does not exist', () => {
  const known = new Set([root, ...commands.map(([, command]) => command)].flatMap(flagsOf));
  for (const [path] of commands) {
    const flags = tableRows(sectionOf(path)).flatMap(([cell = '']) => {
      return cell.startsWith('-') ? (cell.match(/--[a-z-]+/g) ?? []) : [];
    });
    const ofAgents = new Set([
      '--language',
      '--doc',
      '--points',
      '--draft',
      '--no-draft',
      '--keyword',
      '--context',
    ]);
    expect(flags.filter((flag) => !known.has(flag) && !ofAgents.has(flag))).toEqual([]);
  }
});

test('docs/reference/cli.md names no command that does not exist', async () => {
  const paths = (await allCommands()).map(({ path }) => path);
  for (const [, named = ''] of document.matchAll(/^\| `aiq ([a-z]+(?: [a-z]+)?)/gm)) {
    const [family = ''] = named.split(' ');
    expect(paths.includes(named) || paths.includes(family), named).toBe(true);
    if (paths.some((path) => path.startsWith(`${family} `))) expect(paths).toContain(named);
  }
});

function flagsOf(command: Command): string[] {
  return command.options.map(({ long }) => long ?? '');
}

test('docs/reference/cli.md and the program agree on the flags of every command', () => {
  const listed = tableRows(section(document, '## Flags of every command')).map(
    ([cell = '']) => /--[a-z]+/.exec(cell)?.[0] ?? '',
  );
  expect(listed.sort()).toEqual([...flagsOf(root), '--help'].sort());
});

test('docs/reference/cli.md and the help topic agree on environment variables', () => {
  expect(tableRows(section(document, '## Environment'))).toEqual(environmentVariables);
});

test('help topics print their tables', () => {
  for (const { code, meaning } of Object.values(exitCodes)) {
    expect(helpTopics['exit-codes']?.()).toMatch(
      new RegExp(`^ +${code}  .*${meaning.slice(0, 20)}`, 'm'),
    );
  }
  for (const [name] of environmentVariables) expect(helpTopics['environment']?.()).toContain(name);
  expect(helpTopics['input']?.()).toContain('aiq enqueue summarize');
});

test('every command and flag has a description', () => {
  for (const [path, command] of commands) {
    expect(command.description(), path.join(' ')).toMatch(/\.$/);
    for (const { long, description } of command.options) expect(description, long).not.toBe('');
  }
});
