/**
 * Reads the JSON report of vitest and prints `N passed, N failed`. A test file that could not be loaded
 * counts as one failed test. Exits with 1 when a test failed, when none passed, or when there is no report.
 */

import { existsSync, readFileSync } from 'node:fs';

/** @typedef {{ numPassedTests: number, numFailedTests: number, testResults: TestFile[] }} Report */
/** @typedef {{ status: string, assertionResults: { status: string }[] }} TestFile */

const [path = ''] = process.argv.slice(2);
/** @type {Report} */
const report = existsSync(path)
  ? JSON.parse(readFileSync(path, 'utf8'))
  : { numPassedTests: 0, numFailedTests: 0, testResults: [] };
const brokenFiles = report.testResults.filter(
  ({ status, assertionResults }) =>
    status === 'failed' && !assertionResults.some((result) => result.status === 'failed'),
);
const failed = report.numFailedTests + brokenFiles.length;
process.stdout.write(`${report.numPassedTests} passed, ${failed} failed\n`);
process.exitCode = failed === 0 && report.numPassedTests > 0 ? 0 : 1;
