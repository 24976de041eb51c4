/** What keeps an agent's tool modules from being used: found before the first job, and by `validate`. */

import { type Agent, type Problem, schemaChecker } from '../../agent/index.ts';

/**
 * Checks the modules in a thread of their own, with a deadline. Empty when all is well.
 * @param how `run` runs their code, which must be allowed; `read` finds what can be found without
 */
export async function toolProblems(agent: Agent, how: 'read' | 'run'): Promise<Problem[]> {
  const { checkToolModules, hasToolModules } = await import('../../tools/index.ts');
  if (!hasToolModules(agent)) return [];
  const checked = await checkToolModules({ ...agent, how });
  if (!checked.ok) {
    const { file, line, column, message } = checked;
    return [{ file, line, column, message }];
  }
  const problems = await Promise.all(
    checked.tools.map(async ({ file, parameters }) => {
      try {
        await schemaChecker(parameters);
        return [];
      } catch (error) {
        const message = `"parameters" cannot be used: ${(error as Error).message}`;
        return [{ file, line: 1, column: 1, message }];
      }
    }),
  );
  return problems.flat();
}
