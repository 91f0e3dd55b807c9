import { connect, type Socket } from "node:net"

/** One lasting connection to a BIRD's control socket, for questions in quick succession. */
export class BirdControl {
  private readonly socket: Socket
  private text = ""
  private waiting: ((answer: string) => void) | undefined

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on("data", (bytes) => {
      this.text += String(bytes)
      // An answer ends with a line of four digits and a space; the lines before have a minus or begin with a space.
      if (!/(^|\n)\d{4} .*\n$/.test(this.text)) return
      const answer = this.text
      this.text = ""
      this.waiting?.(answer)
    })
  }

  /** Connects and takes BIRD's greeting. */
  static async open(path: string): Promise<BirdControl> {
    const socket = connect(path)
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject)
      socket.once("data", () => resolve())
    })
    return new BirdControl(socket)
  }

  /** One command at a time. */
  ask(command: string): Promise<string> {
    return new Promise((resolve) => {
      this.waiting = resolve
      this.socket.write(`${command}\n`)
    })
  }

  /**
   * When the session came up, in milliseconds since 1970, and how many routes were taken from it: both from counters,
   * whatever the table's size. Needs `timeformat protocol iso long us`.
   */
  async session(protocol: string): Promise<{ readonly upAtMs: number | undefined; readonly imported: number }> {
    const text = await this.ask(`show protocols all ${protocol}`)
    const [, second, fraction] = /up +(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(\.\d+) +Established/.exec(text) ?? []
    return {
      upAtMs: second === undefined ? undefined : Date.parse(second.replace(" ", "T")) + Number(fraction) * 1000,
      imported: Number(/Routes: +(\d+) imported/.exec(text)?.[1] ?? 0)
    }
  }

  close(): void {
    this.socket.destroy()
  }
}
