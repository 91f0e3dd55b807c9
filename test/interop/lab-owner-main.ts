/** Makes a lab with one namespace and a process in it that outlives its parent, prints the prefix, and waits to be killed. */
import { execute, inNamespace, makeLab } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"

const program = Effect.gen(function* () {
  const lab = yield* makeLab()
  const namespace = yield* lab.addNamespace("orphan")
  yield* execute(inNamespace(namespace, ["sh", "-c", "sleep 600 >/dev/null 2>&1 &"]))
  process.stdout.write(`${lab.prefix}\n`)
  yield* Effect.callback<never>(() => {
    setInterval(() => undefined, 60_000) // a fiber that waits for nothing does not keep Node running
  })
})

await Effect.runPromise(Effect.scoped(program))
