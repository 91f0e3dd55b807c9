/** Reads the last line of a run, `N passed, N failed[, N skipped]`; undefined when it is another. */
export const parseTally = (line) => {
  const match = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/.exec(line)
  return match === null
    ? undefined
    : { passed: Number(match[1]), failed: Number(match[2]), skipped: Number(match[3] ?? 0) }
}

/**
 * The last line of all and the exit code. Faults that vitest does not know of count as failures, as do skipped tests where
 * none may be; a run that passed nothing, or whose own exit code is not 0, is no success whatever its count says.
 */
export const sumUp = ({ run, faults, skipFails }) => {
  const { passed, failed: failedTests, skipped } = run.tally ?? { passed: 0, failed: 0, skipped: 0 }
  const known = failedTests + faults + (skipFails ? skipped : 0)
  const failed = known === 0 && (run.code !== 0 || passed === 0) ? 1 : known
  const rest = skipped > 0 && !skipFails ? `, ${skipped} skipped` : ""
  return { line: `${passed} passed, ${failed} failed${rest}`, exitCode: failed === 0 ? 0 : 1 }
}
