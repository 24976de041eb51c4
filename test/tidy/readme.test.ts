/** Holds what README.md shows against what is there: its agent and its commands. */

import { Ajv } from 'ajv';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readText } from './rules/repository.ts';

const readme = readText('README.md');

test('the agent in README.md fits the published schema', () => {
  const [, yaml = ''] = /```yaml\n([\s\S]*?)```/.exec(readme) ?? [];
  const validate = new Ajv({ strict: false }).compile(
    JSON.parse(readText('schema/agent.schema.json')),
  );
  expect([validate(parse(yaml)), validate.errors]).toEqual([true, null]);
  expect(validate({ ...parse(yaml), instrutions: 'a typo' })).toBe(false);
});

test('every npm command in README.md is a script of package.json', () => {
  const { scripts } = JSON.parse(readText('package.json')) as { scripts: Record<string, string> };
  const named = [...readme.matchAll(/(?:^|`)npm (?:run )?([a-z]+)/gm)].map(([, name = '']) => name);
  expect(named.length).toBeGreaterThan(1);
  expect(named.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
});
