/** The commands of `aiq agents`. */

import type { Command } from 'commander';
import type { RunAction, Session } from '../../session.ts';
import { addList } from './list.ts';
import { addNew } from './new.ts';
import { addRender } from './render.ts';
import { addSchema } from './schema.ts';
import { addShow } from './show.ts';
import { addValidate } from './validate.ts';

export function addAgents(root: Command, session: () => Session, run: RunAction): void {
  const agents = root.command('agents').helpCommand(false);
  addList(agents, run);
  addValidate(agents, run);
  addRender(agents, session, run);
  addNew(agents, run);
  addShow(agents, run);
  addSchema(agents, run);
}
