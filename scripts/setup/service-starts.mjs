import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"

const marker = "# written by lowtide's setup for the time of an install"

/**
 * Runs `install` while Debian's packages do not start the services they bring: invoke-rc.d asks policy-rc.d, and 101 means
 * no. What was there before is put back, also after a Ctrl-C; what an earlier setup left when it was killed is not.
 */
export const withoutServiceStarts = (install, file = "/usr/sbin/policy-rc.d") => {
  const aside = `${file}.lowtide-aside`
  const ignoreSignal = () => undefined // apt gets it too and ends; then this goes on below
  process.on("SIGINT", ignoreSignal).on("SIGTERM", ignoreSignal)
  if (existsSync(file) && !readFileSync(file, "utf8").includes(marker)) renameSync(file, aside)
  writeFileSync(file, `#!/bin/sh\n${marker}\nexit 101\n`, { mode: 0o755 })
  try {
    return install()
  } finally {
    rmSync(file, { force: true })
    if (existsSync(aside)) renameSync(aside, file)
    process.off("SIGINT", ignoreSignal).off("SIGTERM", ignoreSignal)
  }
}
