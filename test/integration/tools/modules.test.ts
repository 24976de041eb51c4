/** Tool modules of agents: loaded, and checked in a thread that survives whatever they do. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { builtInTools } from '../../../core/agent/index.ts';
import { toolProblems } from '../../../core/runtime/index.ts';
import { checkToolModules, loadTools, ToolModuleError } from '../../../core/tools/index.ts';
import { agentOf } from '../../support/runtime-fakes.ts';
import { folderWith } from '../../unit/tools/knowledge-folder.ts';

const good = `{
  name: 'clock', description: 'Tells the time.',
  parameters: { type: 'object', properties: { zone: { type: 'string' } } },
  run: async () => 'noon',
}`;

describe('a tool module', () => {
  test.each([
    ['its default export', `export default ${good};`],
    [
      'an export called tool',
      `console.log('not on our standard output');\nexport const tool = ${good};`,
    ],
    ['one that keeps a timer', `setInterval(() => {}, 1000).unref();\nexport default ${good};`],
  ])('is loaded from %s', async (_, source) => {
    const dir = folderWith({ 'x.js': source });
    const agent = agentOf({ dir, tools: ['./x.js'] });
    expect(await toolProblems(agent, 'run')).toEqual([]);
    const [tool] = await loadTools(agent);
    expect(await tool!.run({}, {} as never)).toBe('noon');
  });

  test.each([
    ['does not parse', 'export default {\n  a: 1\n  b: 2 };', '3:3', /SyntaxError/],
    ['throws', '\n\nthrow new Error("no database");', '3:7', /Error: no database/],
    ['throws what has no text', 'throw { toString() { throw 1; } };', '1:1', /cannot be shown/],
    ['imports what is not there', 'import "./y.js";', '1:1', /Cannot find module/],
    ['exports nothing', 'export {};', '1:1', /neither "tool" nor a default/],
    ['exports no tool', 'export default { name: "x" };', '1:1', /"description"/],
    ['has a bad name', `export default { ...${good}, name: "a b" };`, '1:1', /"name" must be/],
    ['has no schema', `export default { ...${good}, parameters: {} };`, '1:1', /"type": "object"/],
    [
      'has a schema that is none',
      `export default { ...${good}, parameters: { type: "object", properties: 5 } };`,
      '1:1',
      /"parameters" cannot be used/,
    ],
    [
      'is called like another',
      `export default { ...${good}, name: "read_file" };`,
      '1:1',
      /two tools/,
    ],
    ['ends the process', 'process.exit(0);', '1:1', /ended its thread/],
    [
      'eats all memory',
      'const a = []; for (;;) a.push(new Array(1e6).fill(0.5));',
      '1:1',
      /memory/i,
    ],
    ['rejects later', 'await Promise.reject(new Error("late"));', '1:22', /late/],
  ])('that %s is a finding with its place', async (_, source, place, message) => {
    const dir = folderWith({ 'tools/x.js': source });
    const agent = agentOf({ dir, tools: ['read_file', './tools/x.js'] });
    const [problem, ...more] = await toolProblems(agent, 'run');
    expect(more).toEqual([]);
    expect(problem?.file).toBe(join(dir, 'tools/x.js'));
    expect(`${problem?.line}:${problem?.column}`).toBe(place);
    expect(problem?.message).toMatch(message);
  });

  test('is not needed for the tools that come with aiq: each name that agents may use is there', async () => {
    const tools = await loadTools({ dir: '/', tools: builtInTools });
    expect(tools.map(({ name }) => name)).toEqual(builtInTools);
  });

  test('as the document shows it works', async () => {
    const document = readFileSync(
      join(import.meta.dirname, '../../../docs/guides/agents.md'),
      'utf8',
    );
    const [, source = ''] = /```js\n([\s\S]*?)```/.exec(document) ?? [];
    const agent = agentOf({ dir: folderWith({ 'time.js': source }), tools: ['./time.js'] });
    expect(await toolProblems(agent, 'run')).toEqual([]);
    const [tool] = await loadTools(agent);
    const { signal } = new AbortController();
    expect(await tool!.run({ zone: 'UTC' }, { signal } as never)).toMatch(/^\d\d:\d\d:\d\d$/);
  });

  test.each([
    ['does not parse', 'export default {\n  a: 1\n  b: 2 };', '3:3', /SyntaxError/],
    ['exports nothing', 'globalThis.ran = true;', '1:1', /neither "tool" nor a default/],
  ])('that %s is found by reading as well', async (_, source, place, message) => {
    const agent = agentOf({ dir: folderWith({ 'x.js': source }), tools: ['./x.js'] });
    const [problem] = await toolProblems(agent, 'read');
    expect(`${problem?.line}:${problem?.column}`).toBe(place);
    expect(problem?.message).toMatch(message);
  });

  test.each([
    ['that would do harm', 'import { writeFileSync } from "node:fs";\nwriteFileSync(MARK, "");'],
    [
      'in CommonJS',
      'require("node:fs").writeFileSync(MARK, "");\nmodule.exports = {};\nexports.a = 1;',
    ],
    ['in TypeScript', 'process.getBuiltinModule("fs").writeFileSync(MARK as string, "");'],
  ])('%s is read without being run', async (_, source) => {
    const dir = folderWith({ 'x.ts': '' });
    const mark = join(dir, 'ran');
    const text = `${source.replace('MARK', JSON.stringify(mark))}\n`;
    writeFileSync(join(dir, 'x.ts'), text.includes('exports') ? text : `${text}export default 1;`);
    const agent = agentOf({ dir, tools: ['./x.ts'] });
    expect(await toolProblems(agent, 'read')).toEqual([]);
    expect(existsSync(mark)).toBe(false);
  });

  test('that never ends loading is given up', async () => {
    const dir = folderWith({ 'x.js': 'for (;;);' });
    expect(await checkToolModules({ dir, tools: ['./x.js'], how: 'run' }, 500)).toMatchObject({
      ok: false,
      file: join(dir, 'x.js'),
      message: 'the module did not load within 0.5 s',
    });
  });

  test('that is broken is an error of its own kind in the thread that runs jobs', async () => {
    const dir = folderWith({ 'x.js': 'export {};' });
    await expect(loadTools({ dir, tools: ['./x.js'] })).rejects.toThrow(ToolModuleError);
  });
});
