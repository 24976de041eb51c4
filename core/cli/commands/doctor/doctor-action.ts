/** `aiq doctor`: prints one row per check, with the fix for problems. */

import { brokerFolder } from '../../../base/index.ts';
import type { ExitName } from '../../exit-codes.ts';
import type { Style, Terminal } from '../../output/terminal.ts';
import type { Session } from '../../session.ts';
import { type Check, type CheckStatus } from './check.ts';
import { checkClock, checkDisk, checkNode, datedFiles } from './machine.ts';
import { checkAgents, checkConfig, checkOutput, checkTrust, isTrusted } from './project.ts';
import { checkBroker, checkProvider } from './services.ts';

/** Exits as the first failure would; warnings exit with 0. */
export async function doctor(session: Session): Promise<ExitName> {
  const checks = await allChecks(session);
  for (const check of checks) printCheck(session.terminal, check);
  return checks.find(({ status }) => status === 'fail')?.exit ?? 'ok';
}

/** Without a valid, trusted configuration the other checks are skipped. */
async function allChecks(session: Session): Promise<Check[]> {
  const [configured, config] = await checkConfig(session);
  if (config === null) return [checkNode(), configured];
  const trusted = await checkTrust(session, config);
  if (!(await isTrusted(session, config))) return [checkNode(), configured, trusted];
  const { packageRoot } = await import('../../../agent/index.ts');
  const { broker, file, output } = config;
  const folder = brokerFolder(broker);
  const rest = await Promise.all([
    checkAgents(config),
    checkBroker(config),
    folder === null ? [] : checkDisk('disk', folder),
    checkDisk('disk', output.dir),
    checkOutput(config),
    checkProvider(session, config),
  ]);
  const clock = checkClock(datedFiles(packageRoot(), file, broker));
  return [checkNode(), clock, configured, trusted, ...rest.flat()];
}

const styles: { readonly [status in CheckStatus]: Style } = {
  ok: 'green',
  warn: 'yellow',
  fail: 'red',
};

function printCheck(terminal: Terminal, check: Check): void {
  const { name, status, found, fix } = check;
  if (terminal.json) {
    terminal.result(JSON.stringify({ name, status, found, fix }));
    return;
  }
  const word = status.padEnd(4);
  const shown = process.stdout.isTTY ? terminal.paint(styles[status], word) : word;
  terminal.result(`${shown}  ${name.padEnd(8)}  ${found}`);
  for (const line of fix) terminal.result(`${' '.repeat(16)}${line}`);
}
