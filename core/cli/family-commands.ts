/** The families of commands: `jobs`, `agents`, `broker`. Names, flags and help; no work. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { addMaintenance } from './care-commands.ts';
import { exampleJobs, examplesText } from './examples.ts';
import { addJobOperations } from './operator-commands.ts';
import { addInputFlags, type Invocation, prepareInputs, reservedFlags } from './schema-flags.ts';
import type { Act, Session } from './session.ts';
import { addAgentDetails } from './setup-commands.ts';

/** Those of the protocol, which help need not load. */
export const listedStates = ['delayed', 'ready', 'leased', 'parked', 'done', 'dead', 'cancelled'];

export function addJobs(root: Command, act: Act): void {
  const jobs = root
    .command('jobs')
    .helpCommand(false)
    .description('Look at jobs, wait for them, and change what becomes of them.');
  jobs
    .command('list')
    .description('List jobs, newest first.')
    .option('--agent <name>', 'Only jobs of this agent.')
    .option('--queue <name>', 'Only jobs of this queue.')
    .addOption(new Option('--state <state>', 'Only jobs in this state.').choices(listedStates))
    .option('--limit <n>', 'Most jobs to list.', '50')
    .addHelpText(
      'after',
      examplesText([
        ['aiq jobs list'],
        ['aiq jobs list --state dead --json', 'one line of JSON for each'],
        ['aiq jobs list --agent summarize --limit 5'],
      ]),
    )
    .action((options) =>
      act(async (session) => (await import('./commands/jobs.ts')).listJobs(session, options)),
    );
  addSearch(jobs, act);
  jobs
    .command('show')
    .description('Show one job: state, attempts, last error, files, history.')
    .argument('<id>', 'Its id, or any unique beginning of it.')
    .addHelpText('after', examplesText([[`aiq jobs show ${exampleJobs.monday}`]]))
    .action((id: string) =>
      act(async (session) => (await import('./commands/jobs.ts')).showJob(session, id)),
    );
  jobs
    .command('wait')
    .description('Wait until jobs are finished; exit 7 when one of them failed.')
    .argument('<ids...>', 'Their ids, or any unique beginnings of them.')
    .option('--timeout <duration>', 'Give up after this time, such as 90s or 5m.')
    .addHelpText('after', examplesText([[`aiq jobs wait ${exampleJobs.monday} --timeout 5m`]]))
    .action((ids: string[], options) =>
      act(async (session) => (await import('./commands/jobs.ts')).waitJobs(session, ids, options)),
    );
  addJobOperations(jobs, act);
}

function addSearch(jobs: Command, act: Act): void {
  jobs
    .command('search')
    .description('Find jobs, also old ones; every condition that is given must hold.')
    .option('--queue <name>', 'In this queue.')
    .addOption(
      new Option('--state <state>', 'In this state; may be repeated.')
        .choices(listedStates)
        .argParser(collectState),
    )
    .option('--agent <name>', 'Of this agent.')
    .option('--tag <tag>', 'With this tag.')
    .option('--text <words>', 'With these words in source, note or error.')
    .option('--cause <code>', 'Last failed with this code.')
    .option('--since <time>', 'Entered its state since then: 2h, 3d ago, or an ISO date and time.')
    .option('--until <time>', 'Entered its state before then.')
    .option('--min-cost <amount>', 'Cost at least so much, such as 0.05.')
    .option('--after <cursor>', 'Continue behind the page before.')
    .option('--limit <n>', 'Most jobs to find.', '50')
    .addHelpText(
      'after',
      examplesText([
        ['aiq jobs search --text mill --since 2d'],
        ['aiq jobs search --state dead --cause timeout --json', 'one line of JSON for each'],
        ['aiq jobs search --tag urgent --min-cost 0.05 --limit 10'],
      ]),
    )
    .action((options) =>
      act(async (session) => (await import('./commands/search.ts')).searchJobs(session, options)),
    );
}

/** Choices that may be repeated are for us to check: commander checks them only without a parser. */
function collectState(state: string, before: readonly string[] = []): string[] {
  if (listedStates.includes(state)) return [...before, state];
  throw new InvalidArgumentError(`Allowed choices are ${listedStates.join(', ')}.`);
}

export function addAgents(root: Command, session: () => Session, act: Act): void {
  const agents = root
    .command('agents')
    .helpCommand(false)
    .description('Look at agents, check them, and make new ones.');
  agents
    .command('list')
    .description('List all agents, with the reason where one cannot be used.')
    .addHelpText('after', examplesText([['aiq agents list']]))
    .action(() =>
      act(async (current) => (await import('./commands/agents.ts')).listAgents(current)),
    );
  agents
    .command('validate')
    .description('Check agent files; every finding with file, line and column.')
    .argument('[names...]', 'Agents to check; all when none is named.')
    .addHelpText(
      'after',
      examplesText([['aiq agents validate'], ['aiq agents validate summarize']]),
    )
    .action((names: string[]) =>
      act(async (current) => {
        const { validateAgents } = await import('./commands/agents.ts');
        return validateAgents(current, names, reservedFlags(agents));
      }),
    );
  const invocation: Invocation = { agent: null, flags: [] };
  const render = agents
    .command('render')
    .description('Print the messages that an input would send; calls nothing.')
    .argument('<agent>', 'Name of the agent.')
    .argument('[inputs...]', 'One file, or - for standard input.');
  addInputFlags(render)
    .addHelpText('after', examplesText([['aiq agents render summarize article.txt']]))
    .action((_agent: string, inputs: string[], options) =>
      act(async (current) => {
        const { renderAgent } = await import('./commands/agents.ts');
        return renderAgent(current, invocation, { ...options, inputs });
      }),
    );
  addAgentDetails(agents, act);
  agents.hook('preSubcommand', async (parent, sub) => {
    if (sub === render) await prepareInputs(render, parent.args.slice(1), session(), invocation);
  });
}

export function addBroker(root: Command, act: Act): void {
  const broker = root
    .command('broker')
    .helpCommand(false)
    .description('Start, look at and stop a broker, and look after its log.');
  broker
    .command('start')
    .description('Run a broker in the foreground.')
    .option('--dir <folder>', 'Folder of its log; default: the one of the configuration.')
    .option(
      '--listen <address>',
      'Listen on tcp://127.0.0.1:<port> too; clients need the token file.',
    )
    .option('--io-threads <n>', 'Threads that share the TCP port; needs --listen.')
    .addHelpText(
      'after',
      examplesText([
        ['aiq broker start', 'until Ctrl-C (exits 0)'],
        ['aiq broker start --listen tcp://127.0.0.1:0', 'a free port; until Ctrl-C (exits 0)'],
      ]),
    )
    .action((options) =>
      act(async (session) => (await import('./commands/broker.ts')).startBroker(session, options)),
    );
  broker
    .command('status')
    .description('Show whether a broker runs, and its queues.')
    .addHelpText('after', examplesText([['aiq broker status']]))
    .action(() =>
      act(async (session) => (await import('./commands/broker.ts')).showBroker(session)),
    );
  broker
    .command('stop')
    .description('Stop the broker of the configured folder; queued jobs stay.')
    .addHelpText('after', examplesText([['aiq broker stop']]))
    .action(() =>
      act(async (session) => (await import('./commands/broker.ts')).endBroker(session)),
    );
  addMaintenance(broker, act);
}
