/** How soon the kernel is asked again, and how seldom in the end, while a peer acknowledges nothing; milliseconds. */
const askMs = { least: 1, most: 100 } as const

interface Awaited {
  readonly octets: number
  readonly run: () => void
}

/**
 * What a connection's peer has acknowledged, octet by octet: what the kernel took may be lost with the link, what the peer's
 * kernel has is not. The kernel has no event for it, so it is asked while somebody waits.
 */
export class Acknowledgements {
  /** Octets that are taken by the kernel and not acknowledged; undefined where nobody can tell: then they count as acknowledged. */
  readonly #unacknowledged: () => number | undefined
  #awaited: Array<Awaited> = []
  /** Octets that the kernel is known to have taken. */
  #taken = 0
  #timer: NodeJS.Timeout | undefined
  #pauseMs: number = askMs.least

  constructor(unacknowledged: () => number | undefined) {
    this.#unacknowledged = unacknowledged
  }

  /** The kernel has taken so many more. */
  took(octets: number): void {
    this.#taken += octets
  }

  /** Runs once all that the kernel has taken by now is acknowledged, maybe at once; never when the connection is lost first. */
  once(run: () => void): void {
    this.#awaited.push({ octets: this.#taken, run })
    this.#pauseMs = askMs.least
    if (this.#awaited.length === 1) this.#ask()
  }

  /** The connection is lost. */
  stop(): void {
    this.#awaited = []
    clearTimeout(this.#timer)
  }

  readonly #ask = (): void => {
    clearTimeout(this.#timer)
    // The kernel may have taken more than is known, of which nothing was acknowledged then.
    const acknowledged = this.#taken - (this.#unacknowledged() ?? 0)
    const before = this.#awaited.length
    const done = this.#awaited.filter(({ octets }) => octets <= acknowledged)
    this.#awaited = this.#awaited.slice(done.length)
    for (const { run } of done) run()
    if (this.#awaited.length === 0) return
    this.#pauseMs = this.#awaited.length < before ? askMs.least : Math.min(askMs.most, this.#pauseMs * 2)
    this.#timer = setTimeout(this.#ask, this.#pauseMs)
  }
}
