/** Flags over environment over file over defaults, each value checked where it was written. */

import { type Finding, formatFinding, suggestion } from '../yaml/index.ts';
import { readBudgets } from './budgets.ts';
import { type Config, ConfigError } from './config.ts';
import { type ConfigFile, emptyFile, findingAt, readConfigFile } from './config-file.ts';
import { loadEnvironment, locateConfig } from './find-config.ts';
import { environmentName, type Parse, type SettingPath, settings } from './settings.ts';
import { readPrices, readProviders } from './structured.ts';
import { ValueError } from './values.ts';
import { type ConfigRequest, type Sources, writtenValue } from './written.ts';

/**
 * The configuration that holds for one invocation. Relative paths in the file refer to its folder,
 * those of flags and variables to the working folder.
 * @throws ConfigError with everything that is wrong, each with its file and place, variable or flag
 */
export function loadConfig(request: ConfigRequest): Config {
  const { file: path, baseDir } = locateConfig(request);
  const reader: Reader = { ...openSources(request), problems: [] };
  const { file, env } = reader;
  const providers = readProviders(file, env);
  const prices = readPrices(file);
  const concurrency = read(reader, 'run.concurrency');
  const config: Config = {
    file: path,
    baseDir,
    providers,
    prices,
    budgets: readBudgets(file, prices),
    broker: read(reader, 'broker'),
    brokerTokenFile: read(reader, 'brokerTokenFile'),
    model: read(reader, 'model'),
    provider: readProvider(reader, Object.keys(providers)),
    agentPaths: read(reader, 'agentPaths'),
    output: { dir: read(reader, 'output.dir') },
    run: {
      concurrency,
      threads: Math.min(read(reader, 'run.threads'), concurrency),
      graceMs: read(reader, 'run.grace'),
      outageMs: read(reader, 'run.outage'),
    },
    limits: {
      inputBytesMax: read(reader, 'limits.inputBytesMax'),
      answerBytesMax: read(reader, 'limits.answerBytesMax'),
      timeoutMs: read(reader, 'limits.timeout'),
      idleMs: read(reader, 'limits.idle'),
    },
  };
  refuse(file.findings, reader.problems);
  return config;
}

/** Reads the file and the environment. @throws ConfigError when they are not to be read */
export function openSources(request: ConfigRequest): Sources {
  const { file: path, baseDir } = locateConfig(request);
  const file: ConfigFile = path === null ? emptyFile : readConfigFile(path);
  return { request, ...loadEnvironment(request), file, baseDir };
}

interface Reader extends Sources {
  /** What is wrong outside the file. */
  readonly problems: string[];
}

type Path = keyof typeof settings;
type ValueOf<P extends Path> = ReturnType<(typeof settings)[P]['parse']>;

function read<P extends Path>(reader: Reader, path: P): ValueOf<P> {
  const { parse, fallback } = settings[path];
  return readValue(reader, path, parse as Parse<ValueOf<P>>, fallback);
}

function readValue<T>(
  reader: Reader,
  path: SettingPath,
  parse: Parse<T>,
  fallback: () => unknown,
): T {
  const { file, baseDir } = reader;
  const written = writtenValue(reader, path);
  const byDefault = (): T => parse(fallback(), baseDir);
  if (written === null) return byDefault();
  try {
    return parse(written.raw, written.dir);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    if (written.from === 'flag') {
      reader.problems.push(
        `"${path}" ${reader.request.overridesPlace ?? 'on the command line'}: ${error.message}`,
      );
    } else if (written.from === 'variable') {
      reader.problems.push(`${environmentName(path)}: ${error.message}`);
    } else if (file.file !== null) {
      const message = `"${path}": ${error.message}`;
      file.findings.push(findingAt(file.file, path.split('.'), message));
    }
    return byDefault();
  }
}

const knownProviders = ['auto', 'openai', 'offline', 'local'];

function readProvider(reader: Reader, named: readonly string[]): string {
  const known = [...new Set([...knownProviders, ...named])];
  const parse = (raw: unknown): string => {
    if (typeof raw === 'string' && known.includes(raw)) return raw;
    const text = String(raw);
    const near = suggestion(text, known);
    throw new ValueError(`${JSON.stringify(text)} is no provider (${known.join(', ')}).${near}`);
  };
  return readValue(reader, 'provider', parse, settings.provider.fallback);
}

function refuse(findings: readonly Finding[], problems: readonly string[]): void {
  const lines = [...problems, ...findings.map(formatFinding)];
  if (lines.length === 0) return;
  throw new ConfigError(
    lines.length === 1 ? lines.join() : ['the configuration cannot be used', ...lines].join('\n'),
  );
}
