import pg from "pg"

export type SqlClient = pg.Client

/**
 * Connects one client, whose session runs in UTC. It survives its server: what is being asked then fails by itself, and a
 * session that is ended between two questions brings nobody down. Whoever opens it ends it.
 */
export const openClient = async (url: string, config: pg.ClientConfig = {}): Promise<pg.Client> => {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 5_000,
    options: "-c timezone=UTC",
    ...config
  })
  client.on("error", () => undefined)
  await client.connect()
  return client
}

/** A client for as long as `use` takes. */
export const withClient = async <A>(
  url: string,
  use: (client: pg.Client) => Promise<A>,
  config: pg.ClientConfig = {}
): Promise<A> => {
  const client = await openClient(url, config)
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}
