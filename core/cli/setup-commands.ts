/** The commands around the work: `init`, `doctor`, `config`, `completion`, and making agents. */

import { Argument, type Command } from 'commander';
import { examplesText } from './examples.ts';
import { reservedFlags } from './schema-flags.ts';
import type { Act } from './session.ts';

export function addInit(root: Command, act: Act): void {
  root
    .command('init')
    .description('Make a folder to begin in: configuration, an example agent, a sample text.')
    .argument('[dir]', 'The folder; default: this one. What is there already is kept.')
    .addHelpText('after', examplesText([['aiq init'], ['aiq init essays']]))
    .action((dir: string | undefined) =>
      act(async (session) => (await import('./commands/init.ts')).init(session, dir)),
    );
}

export function addDoctor(root: Command, act: Act): void {
  root
    .command('doctor')
    .description('Check all that aiq needs here; what is missing comes with its fix.')
    .addHelpText('after', examplesText([['aiq doctor'], ['aiq doctor --json']]))
    .action(() => act(async (session) => (await import('./commands/doctor.ts')).doctor(session)));
}

export function addTrust(root: Command, act: Act): void {
  root
    .command('trust')
    .description('Allow what this folder would do with your keys and with code of its own.')
    .option('--list', 'List what was allowed, for all folders.')
    .option('--remove', 'Forget what was allowed for this folder.')
    .addHelpText(
      'after',
      examplesText([
        ['aiq trust', 'shows each variable with its address, and each module, and allows them'],
        ['aiq trust --list'],
        ['aiq trust --remove'],
      ]),
    )
    .action((options) =>
      act(async (session) => (await import('./commands/trust.ts')).trust(session, options)),
    );
}

export function addConfig(root: Command, act: Act): void {
  const config = root
    .command('config')
    .helpCommand(false)
    .description('Look at the settings that hold here.');
  config
    .command('list')
    .description('List every setting with its value.')
    .option('--show-origin', 'Say where each comes from: flag, variable, file and line, default.')
    .addHelpText('after', examplesText([['aiq config list --show-origin']]))
    .action((options) =>
      act(async (session) => (await import('./commands/config.ts')).listConfig(session, options)),
    );
  config
    .command('path')
    .description('Print the configuration file that counts; exit 5 when there is none.')
    .addHelpText('after', examplesText([['aiq config path']]))
    .action(() =>
      act(async (session) => (await import('./commands/config.ts')).showConfigPath(session)),
    );
  config
    .command('schema')
    .description('Print the JSON Schema of aiq.config.yaml.')
    .addHelpText('after', examplesText([['aiq config schema > config.schema.json']]))
    .action(() =>
      act(async (session) => (await import('./commands/config.ts')).printConfigSchema(session)),
    );
}

/** Making agents and looking into them: added to the family `agents`. */
export function addAgentDetails(agents: Command, act: Act): void {
  agents
    .command('new')
    .description('Write a new agent into the first agent folder; never overwrites.')
    .argument('<name>', 'Its name, such as meeting-notes.')
    .option('--from <agent>', 'Begin with a copy of this agent.')
    .addHelpText(
      'after',
      examplesText([['aiq agents new meeting-notes'], ['aiq agents new digest --from summarize']]),
    )
    .action((name: string, options) =>
      act(async (session) =>
        (await import('./commands/new-agent.ts')).newAgent(session, name, options),
      ),
    );
  agents
    .command('show')
    .description('Show one agent: its fields, flags, schemas and templates.')
    .argument('<agent>', 'Name of the agent.')
    .addHelpText('after', examplesText([['aiq agents show summarize']]))
    .action((name: string) =>
      act(async (session) => {
        const { showAgent } = await import('./commands/show-agent.ts');
        return showAgent(session, name, reservedFlags(agents));
      }),
    );
  agents
    .command('schema')
    .description('Print the JSON Schema of agent.yaml, or that of the input of an agent.')
    .option('--agent', 'That of agent.yaml, which is the default.')
    .option('--input <agent>', "That of an agent's input.")
    .addHelpText(
      'after',
      examplesText([
        ['aiq agents schema > agent.schema.json'],
        ['aiq agents schema --input summarize'],
      ]),
    )
    .action((options) =>
      act(async (session) =>
        (await import('./commands/show-agent.ts')).printSchema(session, options),
      ),
    );
}

export function addCompletion(root: Command, act: Act): void {
  root
    .command('completion')
    .description('Print the completion script of a shell.')
    .addArgument(new Argument('<shell>', 'The shell.').choices(['bash', 'zsh', 'fish']))
    .addHelpText(
      'after',
      examplesText([
        ['aiq completion bash > aiq-completion.bash', 'then source that file in ~/.bashrc'],
        ['aiq completion zsh > _aiq', 'in a folder of $fpath'],
        ['aiq completion fish > aiq.fish', 'in ~/.config/fish/completions'],
      ]),
    )
    .action((shell: string) =>
      act(async (session) =>
        (await import('./commands/completion.ts')).printScript(session, shell),
      ),
    );
  root
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .allowUnknownOption()
    .helpOption(false)
    .action((words: string[]) =>
      act(async (session) =>
        (await import('./commands/completion.ts')).complete(session, root, words),
      ),
    );
}
