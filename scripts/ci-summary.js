/**
 * `node scripts/ci-summary.js <vitest-report.json> <exit code of npm test>`: lists what was left
 * out, then ends with the one line `N passed, N failed`.
 */

import { readFileSync } from 'node:fs';

/**
 * @typedef {{ status: string, fullName: string }} TestResult
 * @typedef {{ name: string, status: string, assertionResults: TestResult[] }} FileResult
 */

const [reportFile = '', exitCode = '1'] = process.argv.slice(2);
const files = readReport(reportFile);
const tests = files.flatMap((file) => file.assertionResults);
const passed = tests.filter(({ status }) => status === 'passed').length;
const skipped = tests.filter(({ status }) => status !== 'passed' && status !== 'failed');
// A file that does not even load, and a failed check, have no failed test of their own.
const brokenFiles = files.filter(
  ({ status, assertionResults }) =>
    status === 'failed' && assertionResults.every((test) => test.status !== 'failed'),
);
const failedTests = tests.length - passed - skipped.length + brokenFiles.length;
const failed = failedTests === 0 && (exitCode !== '0' || passed === 0) ? 1 : failedTests;

if (skipped.length > 0) {
  console.log(
    `\n!!! ${skipped.length} tests were LEFT OUT on this machine; each name says what brings it in:`,
  );
  for (const { fullName } of skipped) console.log(`!!!   ${fullName}`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/**
 * @param {string} file
 * @returns {FileResult[]}
 */
function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).testResults;
  } catch {
    return [];
  }
}
