import { createReadStream } from "node:fs"
import { createGunzip } from "node:zlib"

/**
 * The lines of a gzip file, without ever holding all of it. A line ends at a line feed alone: Node's `readline` ends one at
 * U+2028 as well, which a JSON text may have within.
 */
export async function* gzipLines(path: string): AsyncGenerator<string> {
  const file = createReadStream(path)
  const octets = file.pipe(createGunzip())
  file.once("error", (cause) => octets.destroy(cause))
  const decoder = new TextDecoder()
  let rest = ""
  for await (const chunk of octets) {
    const lines = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split("\n")
    rest = lines.pop() ?? ""
    yield* lines
  }
  rest += decoder.decode()
  if (rest !== "") yield rest
}
