import { constants, readFileSync } from "node:fs"
import { type FileHandle, open } from "node:fs/promises"
import { join } from "node:path"
import { Result, Schema } from "effect"
import { checkedLine, readCheckedLine } from "./checked-line.ts"

/** How many octets of a generation's journal were acknowledged, at the least, and of that of the generation before. */
const Mark = Schema.Struct({ generation: Schema.Int, bytes: Schema.Int, before: Schema.optionalKey(Schema.Int) })
export type Mark = typeof Mark.Type

/** What the mark says of a generation's journal; undefined where it says nothing. */
export const markedBytes = (mark: Mark | undefined, generation: number): number | undefined => {
  if (mark?.generation === generation) return mark.bytes
  return mark?.generation === generation + 1 ? mark.before : undefined
}

const decodeMark = Schema.decodeUnknownResult(Schema.fromJsonString(Mark))

/** Beside the journal, in the same folder. */
export const markName = "acknowledged"

/** Every mark is as long as any other, so that one in the place of another leaves nothing of it. */
const markLength = 64
const lineLength = checkedLine("".padEnd(markLength)).length

/** The mark that the folder has, if any, and what is wrong with its file, in words. */
export const readMark = (folder: string): { readonly mark?: Mark; readonly fault?: string } => {
  const path = join(folder, markName)
  const rest = "if a journal beside it was cut short, nothing shows it"
  try {
    const text = readFileSync(path, "utf8")
    const mark = Result.getOrUndefined(decodeMark(readCheckedLine(text.replace(/\n$/, ""))))
    return mark === undefined
      ? { fault: `${path}: expected a generation and a length, found damage; ${rest}` }
      : { mark }
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    return code === "ENOENT" ? {} : { fault: `${path}: expected a file that can be read, found ${message}; ${rest}` }
  }
}

/**
 * Notes how long the journal has become. It is written after the disk has the journal, and not made last itself: after a
 * power cut it may tell of less than was acknowledged, and never of more. So a journal that is shorter has lost something,
 * and the torn end that a crash leaves is not taken for that.
 */
export class MarkFile {
  readonly #path: string
  #file: FileHandle | undefined

  constructor(folder: string) {
    this.#path = join(folder, markName)
  }

  /** A disk that refuses leaves an older mark, which claims less. */
  async write(mark: Mark): Promise<void> {
    try {
      this.#file ??= await this.#open()
      await this.#file.write(checkedLine(JSON.stringify(mark).padEnd(markLength)), 0)
    } catch {
      // What was acknowledged is in the journal all the same.
    }
  }

  async close(): Promise<void> {
    await this.#file?.close()
    this.#file = undefined
  }

  /** What is behind the place of a mark would make every one damaged. */
  async #open(): Promise<FileHandle> {
    const file = await open(this.#path, constants.O_WRONLY | constants.O_CREAT, 0o600)
    if ((await file.stat()).size > lineLength) await file.truncate(lineLength)
    return file
  }
}
