/** Bad input of every kind: a message with what, where and the fix, an exit code, and nothing queued. */

import { once } from 'node:events';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type JobQueue, openQueue } from '../../../core/job-queue/index.ts';
import { Project } from '../../support/project.ts';

let project: Project;
let queue: JobQueue;

const manifest = `description: Says hello.
instructions: Say hello to {{input.name}}.
input:
  schema:
    type: object
    additionalProperties: false
    required: [name]
    properties:
      name: { type: string }
`;

async function agentFile(name: string, text: string): Promise<void> {
  await mkdir(join(project.dir, 'agents', name), { recursive: true });
  await project.write(`agents/${name}/agent.yaml`, text);
}

beforeAll(async () => {
  project = await Project.make();
  const broker = `file:${join(project.dir, '.aiq')}`;
  queue = await openQueue({ broker, tokenFile: null, clientName: 'test' });
  await project.write('good.txt', 'A good text.\n');
  await project.write('empty.txt', '');
  await project.write('blank.txt', ' \n\n');
  await writeFile(join(project.dir, 'binary.bin'), new Uint8Array([0x89, 0x50, 0, 0, 1, 2]));
  await writeFile(join(project.dir, 'latin.txt'), new Uint8Array([0x47, 0x72, 0xfc, 0xdf, 0x65]));
  await project.write('huge.txt', 'long text. '.repeat(600_000));
  await mkdir(join(project.dir, 'folder'));
  await agentFile('hello', manifest);
});

afterEach(async () => {
  const { queues } = await queue.stats();
  expect(queues.filter((info) => info.ready + info.leased + info.delayed + info.done > 0)).toEqual(
    [],
  );
});

afterAll(async () => {
  await queue.close();
  await project.remove();
});

/** Runs the command; its message must match everything, and its standard output stay empty. */
async function expectRefused(args: string[], code: number, ...texts: (string | RegExp)[]) {
  const finished = await project.aiq(...args);
  expect(finished, finished.stderr).toMatchObject({ code, stdout: '' });
  expect(finished.stderr).toMatch(/^error: /m);
  expect(finished.stderr).not.toMatch(/^ {4}at /m);
  for (const text of texts) expect(finished.stderr).toMatch(text);
}

describe('agents', () => {
  test('an unknown one is told with the nearest name', async () => {
    await expectRefused(['enqueue', 'sumarize', 'good.txt'], 5, 'sumarize', /mean summarize/);
  });

  test('the name of one is no command, but the command is told', async () => {
    await expectRefused(['summarize', 'good.txt'], 2, 'aiq enqueue summarize good.txt');
  });

  test('an unparsable agent.yaml is told with its place', async () => {
    await agentFile('unparsable', 'description: [\n');
    await expectRefused(
      ['enqueue', 'unparsable', 'x'],
      3,
      /agents\/unparsable\/agent\.yaml:\d+:\d+: /,
    );
  });

  test('an unknown key is told with its place and the nearest one', async () => {
    await agentFile('typo', manifest.replace('instructions:', 'instrutions:'));
    await expectRefused(
      ['enqueue', 'typo', '--name', 'x'],
      3,
      /agents\/typo\/agent\.yaml:2:1: .*instrutions/,
      /mean "?instructions/,
    );
  });

  test('a template that names a variable the schema lacks is a finding with its line', async () => {
    await agentFile('lacks', manifest.replace('{{input.name}}', '{{input.nmae}}'));
    const { code, stdout, stderr } = await project.aiq('agents', 'validate', 'lacks');
    expect(code, stderr).toBe(3);
    expect(stdout).toMatch(/agents\/lacks\/agent\.yaml:2:\d+: .*nmae/);
  });
});

describe('inputs against the schema', () => {
  test('every problem is listed with property, value, allowed values and the nearest one', async () => {
    await expectRefused(
      [
        'enqueue',
        'summarize',
        'good.txt',
        '--style',
        'bulet',
        '--points',
        '99',
        '--set',
        'stile=x',
      ],
      3,
      'input does not fit agent "summarize"',
      /style +"bulet" is not one of bullet, prose\. Did you mean bullet\?/,
      /points +99 is over the maximum of 20/,
      /stile +unknown property/,
      /schema: .*agent\.yaml:\d+/,
    );
  });

  test('text where a number belongs is told beside the other problems', async () => {
    await expectRefused(
      ['enqueue', 'summarize', 'good.txt', '--points', 'many', '--words', '5'],
      3,
      /points +"many" is not a whole number/,
      /words +5 is under the minimum of 20/,
    );
  });

  test('an unknown flag is a usage error with a suggestion', async () => {
    await expectRefused(['enqueue', 'summarize', '--stile', 'x'], 2, '--stile', /mean --style/);
  });

  test('a missing required property is told with the ways to give it', async () => {
    await expectRefused(['enqueue', 'summarize'], 3, /text +is required/, /--text/);
  });

  test('one bad file of several stops all of them', async () => {
    await expectRefused(
      ['enqueue', 'summarize', 'good.txt', 'missing.txt', 'empty.txt'],
      3,
      '2 of 3 inputs',
      'missing.txt',
      'empty.txt',
    );
  });
});

describe('input files', () => {
  const files: [name: string, ...texts: (string | RegExp)[]][] = [
    ['missing.txt', /no such file: missing\.txt/, /--text/],
    ['folder', /folder is a directory/, /folder\/\*\*\/\*\.md/],
    ['binary.bin', /binary\.bin is not UTF-8 text/],
    ['latin.txt', /latin\.txt is not UTF-8 text/],
    ['empty.txt', /empty\.txt is empty/],
    ['blank.txt', /blank\.txt is empty/],
    ['huge.txt', /huge\.txt is too large: 6\.3 MiB/, /the limit is 1 MiB/],
    ['*.pdf', /no file matches "\*\.pdf"/],
  ];
  test.each(files)('%s', async (name, ...texts) => {
    await expectRefused(['enqueue', 'summarize', '--input', name], 3, ...texts);
  });

  test('one that is too large for a job as JSON, although it may be read', async () => {
    await project.write('large.yaml', 'provider: offline\nlimits: { inputBytesMax: 64MiB }\n');
    await project.write('quotes.txt', '"\\'.repeat(17 * 1024 * 1024));
    await expectRefused(
      ['enqueue', 'summarize', '--config', 'large.yaml', '--input', 'quotes.txt'],
      3,
      /quotes\.txt is too large for one job: 68 MiB/,
      /the limit is 64 MiB/,
    );
  });

  test('more than a hundred need a yes', async () => {
    await mkdir(join(project.dir, 'many'));
    for (let index = 0; index < 101; index++) {
      await project.write(`many/${index}.txt`, `Text ${index}.`);
    }
    await expectRefused(['enqueue', 'summarize', 'many/*.txt'], 2, '101 files', '--yes');
  });
});

describe('contradictions on the command line', () => {
  const cases: [args: string[], code: number, text: string | RegExp][] = [
    [['good.txt', '--text', 'x'], 2, /"text" is given twice/],
    [['good.txt', '--set', 'text=x'], 2, /"text" is given twice/],
    [['good.txt', '--jsonl', 'x.jsonl'], 2, /--jsonl and --input cannot be used together/],
    [['good.txt', '--id', 'k', '--force'], 2, /--force and --id/],
    [['good.txt', 'blank.txt', '--id', 'k', '--timeout', '5m'], 2, /--timeout requires --wait/],
    [['good.txt', '--wait', '--timeout', 'soon'], 2, /"soon" is not a duration/],
    [['--data', '[1]'], 3, /not a JSON object/],
    [['--data', '{'], 3, /not JSON/],
    [['--data', '@missing.json'], 3, /no such file: missing\.json/],
    [['--set', 'style'], 2, /is not key=value/],
    [['--jsonl', 'missing.jsonl'], 3, /no such file: missing\.jsonl/],
    [['--jsonl', 'empty.txt'], 3, /no lines/],
  ];
  test.each(cases)('enqueue summarize %j', async (args, code, text) => {
    await expectRefused(['enqueue', 'summarize', ...args], code, text);
  });

  test('a flag of the agent before its name', async () => {
    await expectRefused(
      ['enqueue', '--style', 'prose', 'summarize'],
      2,
      /name must come before --style/,
    );
  });
});

describe('the configuration', () => {
  test('that does not parse or has an unknown key is told with its place', async () => {
    await project.write('bad.yaml', 'output: {\n');
    await expectRefused(['jobs', 'list', '--config', 'bad.yaml'], 3, /bad\.yaml:\d+:\d+/);
    await project.write('typo.yaml', 'modle: x\n');
    await expectRefused(['jobs', 'list', '--config', 'typo.yaml'], 3, /typo\.yaml:1:1/, /model/);
    await expectRefused(['jobs', 'list', '--config', 'none.yaml'], 3, /none\.yaml/);
  });
});

describe('paths that only a shell fills in make no folder of that name', () => {
  const cases: string[][] = [
    ['init', '~/project'],
    ['init', ''],
    ['broker', 'start', '--dir=~/broker'],
    ['broker', 'verify', '${HOME}/broker'],
    ['broker', 'backup', '~'],
    ['broker', 'salvage', '$HOME/rescued'],
    ['jobs', 'list', '--broker=file:~/broker'],
  ];
  test.each(cases)('%s %s %s', async (...args) => {
    await expectRefused(args, 2, /is not a path/);
    expect(await readdir(project.dir)).not.toContainEqual(expect.stringMatching(/^[~$]/));
  });
});

describe('the broker', () => {
  test('that nobody answers for exits with 6 and names the address', async () => {
    await project.write('.aiq/token', 'x'.repeat(64));
    await chmod(join(project.dir, '.aiq', 'token'), 0o600);
    await expectRefused(['jobs', 'list', '--broker', 'tcp://127.0.0.1:9'], 6, '127.0.0.1:9');
  });

  test('is one for a folder', async () => {
    await expectRefused(['broker', 'start'], 6, /another broker/, '.aiq');
  });

  test('is one for a port', async () => {
    const first = project.start(
      'broker',
      'start',
      '--dir',
      'one',
      '--listen',
      'tcp://127.0.0.1:0',
      '--json',
    );
    const [line] = (await once(first.child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
    const { tcp } = JSON.parse(line.toString()) as { tcp: { port: number } };
    const address = `tcp://127.0.0.1:${tcp.port}`;
    await expectRefused(
      ['broker', 'start', '--dir', 'two', '--listen', address],
      6,
      String(tcp.port),
    );
    first.child.kill('SIGTERM');
    expect((await first.finished).code).toBe(0);
  });

  test('listens on loopback only', async () => {
    await expectRefused(['broker', 'start', '--listen', 'tcp://0.0.0.0:4222'], 2, /loopback/);
  });
});
