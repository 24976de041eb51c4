/** `aiq config schema`: flags, help and action. */

import type { Command } from 'commander';
import { examplesText } from '../../examples.ts';
import type { RunAction } from '../../session.ts';

export function addSchema(config: Command, run: RunAction): void {
  config
    .command('schema')
    .description('Print the JSON Schema of aiq.config.yaml.')
    .addHelpText('after', examplesText([['aiq config schema > config.schema.json']]))
    .action(() =>
      run(async ({ terminal }) => {
        const { packagedSchema } = await import('../../schema-reference.ts');
        terminal.resultText(await packagedSchema('config.schema.json'));
        return 'ok';
      }),
    );
}
