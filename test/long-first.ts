import { existsSync } from "node:fs"
import { join } from "node:path"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/**
 * The files that take longest, the longest first: one that is begun last is waited for alone. vitest knows how long a file took
 * the last time; in a fresh clone it goes by a file's size, which says nothing where the cases are in another one. Whole fleets, which take processors rather than time, are apart.
 */
const longFiles: ReadonlyArray<string> = [
  "test/e2e/recovery.test.ts",
  "test/interop/unnumbered-frr.test.ts",
  "test/interop/guard-bird.test.ts",
  "test/e2e/bad-input.test.ts",
  "test/interop/guard-frr.test.ts",
  "test/interop/bgp-frr.test.ts",
  "test/interop/explain.test.ts",
  "test/e2e/faults.test.ts",
  "test/interop/bgp-bird.test.ts",
  "test/interop/bgp-openbgpd.test.ts",
  "test/e2e/benches.test.ts",
  "test/interop/bgp-gobgp.test.ts",
  "test/e2e/demo.test.ts",
  "test/interop/bmp-reporters.test.ts",
  "test/e2e/demo-database.test.ts",
  "test/interop/lab-routers.test.ts"
]

/** vitest's own order, but for these. */
export class LongFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const gone = longFiles.filter((file) => !existsSync(join(this.ctx.config.root, file)))
    if (gone.length > 0)
      throw new Error(`expected files that are there in ${import.meta.filename}, found ${gone.join(", ")}`)
    const groupOf = ({ project }: TestSpecification) => project.config.sequence.groupOrder
    const placeOf = ({ moduleId }: TestSpecification) => {
      const place = longFiles.findIndex((file) => moduleId.endsWith(`/${file}`))
      return place < 0 ? longFiles.length : place
    }
    const sorted = await super.sort(files)
    return sorted.sort((one, other) => groupOf(one) - groupOf(other) || placeOf(one) - placeOf(other))
  }
}
