import { describe, expect, it } from "vitest"
import { lowtide } from "./fixture.ts"

describe("exit codes", () => {
  const table = [
    [0, "get services", ""],
    [0, "--version", ""],
    [1, "who 192.0.2.9", ""],
    [1, "get findings", ""],
    [2, "get", "error: Missing required argument: type; see `lowtide get --help`\n"],
    [
      2,
      "get houses",
      'error: type: expected services, pools, vips, reservations, quotas, sharedaddresses, approvals, peers, nodes, findings, evidence or allocators, perhaps with /NAME, found "houses"; see `lowtide get --help`\n'
    ],
    [
      2,
      "get nodes -o xml",
      'error: Invalid value for flag --output: "xml". Expected: "table" | "wide" | "json" | "sarif"; see `lowtide get --help`\n'
    ],
    [
      2,
      "get services -A -n shop",
      "error: namespace: expected -n NAMESPACE or -A, found both; leave one of them out\n"
    ],
    [
      2,
      "who 192.0.2.256",
      'error: address: expected an IPv4 or IPv6 address, found "192.0.2.256"; for example `lowtide who 192.0.2.10`\n'
    ],
    [
      2,
      "who 192.0.2.1 --at noon",
      'error: --at: expected a time like 2026-11-23T14:05:01Z or "30 minutes ago", found "noon"; see `lowtide who --help`\n'
    ],
    [
      2,
      "who 192.0.2.1 --at 2026-11-23T16:05:01Z",
      "error: --at: expected a moment that is past, found 2026-11-23T16:05:01.000Z; leave it out to ask about now\n"
    ],
    [
      2,
      "history house/x",
      'error: expected an address or prefix, or TYPE/NAME of a service, address, pool, peer, node, cluster or file, found "house/x"; see `lowtide history --help`\n'
    ],
    [
      2,
      "history service/web",
      'error: expected service/[CLUSTER/]NAMESPACE/NAME, found "service/web"; see `lowtide history --help`\n'
    ],
    [
      2,
      "history service/shop/web",
      "error: service shop/web is in several clusters; one of service/east/shop/web, service/west/shop/web\n"
    ],
    [
      2,
      "get evidence --at 5",
      "error: --at: expected none with evidence, which is what routers say now and is not in the ledger; leave it out; what nodes had told their routers is in `lowtide history`\n"
    ],
    [
      2,
      "get allocators --at 5",
      "error: --at: expected none with allocators, which are processes of now and are not in the ledger; leave it out; who led is in `lowtide audit export`, by the epoch of each event\n"
    ],
    [2, "history 192.0.2.1 --limit 0", "error: --limit: expected 1 to 1000, found 0; see `lowtide history --help`\n"],
    [
      2,
      "history --before 0",
      "error: --before: expected 1 to 9007199254740991, found 0; see `lowtide history --help`\n"
    ],
    [
      2,
      "history --before=-3",
      "error: --before: expected 1 to 9007199254740991, found -3; see `lowtide history --help`\n"
    ],
    [
      2,
      "trace pool/public",
      'error: expected service/[CLUSTER/]NAMESPACE/NAME, found "pool/public"; for example `lowtide trace service/east/shop/web`\n'
    ],
    [
      2,
      "trace service/shop/web",
      "error: service shop/web is in several clusters: name one; one of east/shop/web, west/shop/web\n"
    ],
    [
      2,
      "audit verify",
      "error: --key: expected the key that signs checkpoints, found none; name a file of verifier keys with --key FILE; `lowtide audit key` makes one from a PEM file\n"
    ],
    [
      2,
      "audit verify --key /none",
      "error: --key /none: expected a readable file, found ENOENT: no such file or directory, open '/none'; check the path\n"
    ],
    [
      2,
      "apply -f /none",
      "error: --file /none: expected a readable file, found ENOENT: no such file or directory, open '/none'; check the path\n"
    ],
    [2, "audit prove 0", "error: seq: expected 1 or more, found 0; see `lowtide audit prove --help`\n"],
    [
      2,
      "audit export --since noon",
      'error: --since: expected a time like 2026-11-23T14:05:01Z or "30 minutes ago", found "noon"; see `lowtide audit export --help`\n'
    ],
    [
      2,
      "get nodes -s tcp://x",
      'error: server: expected http://HOST:PORT, https://HOST:PORT or unix:/PATH, found "tcp://x"; for example --server http://127.0.0.1:7070\n'
    ],
    [
      3,
      "who 192.0.2.8 --network nope",
      'error: network: expected one of the networks [default], found "nope"; list what there is with `lowtide get services -o wide`\n'
    ],
    [
      3,
      "trace service/shop/none",
      "error: service: expected one that the log knows, found shop/none; list what there is with `lowtide get services -o wide`\n"
    ],
    [
      2,
      "who 192.0.2.0/24",
      'error: address: expected an IPv4 or IPv6 address, found "192.0.2.0/24"; `lowtide history 192.0.2.0/24` tells of all its addresses\n'
    ],
    [1, "diff --from 12", ""],
    [2, "diff", "error: --from: expected a time or the seq of an event, found nothing; see `lowtide diff --help`\n"],
    [2, "diff --from 12 --address 192.0.2", ""],
    [
      2,
      "diff --from 0",
      "error: --from: expected a time or the seq of an event, 1 or more, found 0; see `lowtide diff --help`\n"
    ],
    [
      2,
      "history --correlation 7",
      'error: --correlation: expected an id as `lowtide history -o wide` shows it, found "7"; see `lowtide history --help`\n'
    ],
    [
      2,
      "history --type VipGiven",
      'error: --type: expected a type of event of docs/reference/events.md, like VipAssigned, or one of applied, session, status-written, unread, router, found "VipGiven"; see `lowtide history --help`\n'
    ],
    [
      2,
      "audit export --type session",
      'error: --type: expected a type of event of docs/reference/events.md, like VipAssigned, found "session"; see `lowtide audit export --help`\n'
    ],
    [2, "audit export --address 192.0.2", ""],
    [
      2,
      "audit export --service east/shop/web --cluster west",
      'error: --service: expected [CLUSTER/]NAMESPACE/NAME of the namespace and cluster asked for, found "east/shop/web"; for example --service east/shop/web\n'
    ],
    [
      2,
      "audit export --service shop/",
      'error: --service: expected [CLUSTER/]NAMESPACE/NAME, found "shop/"; for example --service east/shop/web\n'
    ],
    ...[
      "node withdraw --all",
      "approve w-1",
      "delete quota/shop",
      "fleet finalise",
      "recover --finish",
      "cluster remove east --out /none"
    ].map(
      (order) =>
        [
          2,
          `${order} --reason `,
          `error: Missing value for flag --reason. Expected: words, 1 to 500 characters, found none; see \`lowtide ${order.split(" ", /^(approve|delete|recover)/.test(order) ? 1 : 2).join(" ")} --help\`\n`
        ] as const
    ),
    [
      2,
      "audit reads --limit 1001",
      "error: --limit: expected a whole number from 1 to 1000, found 1001; see `lowtide audit reads --help`\n"
    ],
    [2, "audit reads --before 0", ""],
    [
      2,
      "get services --at 2026-11-24T00:00:00Z",
      "error: --at: expected a moment that is past, found 2026-11-24T00:00:00.000Z; leave it out to ask about now\n"
    ],
    [
      3,
      "get service/shop/none",
      "error: services: expected one that is there, found shop/none; list them with `lowtide get services`\n"
    ],
    [
      3,
      "history node/none",
      "error: node: expected one that is there now, found none; name its cluster for one that is gone: node/CLUSTER/none\n"
    ],
    [
      2,
      "node retire east-1 --reason gone",
      'error: node: expected CLUSTER/NODE, found "east-1"; for example `lowtide node retire east/east-1 --reason "disk dead, will not come back"`\n'
    ],
    [
      3,
      "approve w-9 --reason meant",
      'error: approval: expected one that waits, found "w-9"; list them with `lowtide get approvals`\n'
    ],
    [
      5,
      "reject w-1 --reason mistaken",
      "error: LT0602 Caller local:ada: role missing; use a token that has the role named\n"
    ],
    [2, "node retire east/east-1", "error: Missing required flag: --reason; see `lowtide node retire --help`\n"],
    [
      2,
      "vip force-release 192.0.2.0/24 --reason gone",
      'error: address: expected an IPv4 or IPv6 address, found "192.0.2.0/24"; list them with `lowtide get vips`\n'
    ],
    [
      2,
      "reserve --for east/shop/web",
      "error: reserve: expected an address or --pool, found neither; for example `lowtide reserve 192.0.2.10 --for east/shop/web`\n"
    ],
    [
      2,
      "reserve 192.0.2.9 --for shop/web",
      'error: --for: expected CLUSTER/NAMESPACE/NAME, found "shop/web"; for example `lowtide reserve 192.0.2.10 --for east/shop/web`\n'
    ],
    [
      2,
      "delete pool/public",
      'error: expected reservation/NAME, quota/NAME, addresspool/NAME, sharedaddress/NAME or fleet/NAME, found "pool/public"; list them with `lowtide get reservations`\n'
    ],
    [
      2,
      "get nodes --token-file /nowhere/token",
      "error: --token-file: expected a file with one token, found ENOENT: no such file or directory, open '/nowhere/token'; name the file of your token\n"
    ],
    [
      4,
      "node retire east/east-2 --reason gone",
      "error: LT0605 Node east/east-2: node is still there; delete the Node object first\n"
    ],
    [
      5,
      "vip force-release 192.0.2.9 --reason gone",
      "error: LT0602 Caller machine:ci: role missing; use a token that has the role named\n"
    ],
    [2, "histroy", 'error: Unknown subcommand "histroy" for "lowtide" (did you mean history?); see `lowtide --help`\n'],
    [
      2,
      "who 192.0.2.1 --att 5",
      "error: Unrecognized flag: --att in command lowtide who (did you mean --at?); see `lowtide who --help`\n"
    ],
    [
      2,
      "who 192.0.2.1 --at -5m",
      "error: Unrecognized flag: -5 in command lowtide who (did you mean --at?); see `lowtide who --help`\n"
    ],
    [7, "trace service/shop/later", "error: http://127.0.0.1:7070: the database does not answer; try again shortly\n"]
  ] as const
  it.each([
    ["get svc --cluster nope", 'cluster: expected one of the clusters [east, west], found "nope"', "get nodes"],
    ["bgp peers --peer nope", 'peer: expected one of [tor-a], found "nope"', "get peers"],
    [
      "brake release --cluster eas --reason meant",
      "Cluster eas: not known: expected one of the clusters [east, west], found eas",
      "get nodes"
    ],
    ["history --actor agent:eas", "actor: expected one that the log knows, found agent:eas", "history"]
  ])("3 of %s, with a hint that is a command which answers", async (asked, detail, hint) => {
    const body = JSON.stringify({ type: "https://lowtide.dev/problems/not-found", status: 404, title: "-", detail })
    const fetch = async () =>
      new Response(body, { status: 404, headers: { "content-type": "application/problem+json" } })
    const { exitCode, stderr } = await lowtide(asked, { fetch })
    expect(exitCode).toBe(3)
    expect(stderr.startsWith(`error: ${detail}; `)).toBe(true)
    const hinted = /`lowtide (.*)`/.exec(stderr)?.[1] ?? ""
    expect(hinted.startsWith(hint)).toBe(true)
    expect((await lowtide(hinted)).exitCode).toBe(0)
  })

  for (const [code, commandLine, stderr] of table) {
    it(`${code} of lowtide ${commandLine}`, async () => {
      const ran = await lowtide(commandLine)
      expect(ran.exitCode).toBe(code)
      if (stderr !== "") expect(ran).toMatchObject({ stdout: "", stderr })
    })
  }

  const answering =
    (status: number, body = "") =>
    async () =>
      new Response(body, { status })
  const statuses = [
    [3, 404],
    [4, 409],
    [4, 412],
    [5, 401],
    [5, 403],
    [7, 502]
  ] as const
  for (const [code, status] of statuses) {
    it(`${code} of an answer ${status} without problem details`, async () => {
      expect(await lowtide("get nodes", { fetch: answering(status) })).toMatchObject({ exitCode: code, stdout: "" })
    })
  }

  it("7 of a server that is not there, with the reason and no stack trace", async () => {
    const fetch = async () => {
      throw new TypeError("fetch failed", { cause: Object.assign(new Error("connect"), { code: "ECONNREFUSED" }) })
    }
    const { exitCode, stderr } = await lowtide("get nodes", { fetch })
    expect(exitCode).toBe(7)
    expect(stderr).toBe(
      "error: no answer from http://127.0.0.1:7070: connection refused; start the demo with `npm run demo`, or name the server with --server URL\n"
    )
  })

  it("7 of a server that is something else", async () => {
    const fetch = async () =>
      new Response('{"items": 1}', { status: 200, headers: { "content-type": "application/json" } })
    const { exitCode, stderr } = await lowtide("get nodes", { fetch })
    expect(exitCode).toBe(7)
    expect(stderr).toMatch(/^error: http:\/\/127\.0\.0\.1:7070 does not answer as Lowtide does: .*\n$/)
  })

  it("8 of an order that waits for a second person, after what it led to", async () => {
    const { exitCode, stdout, stderr } = await lowtide("delete fleet/prod")
    expect(exitCode).toBe(8)
    expect(stdout).toContain("over-budget")
    expect(stderr).toBe(
      "error: order w-1 waits for a second person: 60 addresses of cluster east, released by agent:east; have another person see `lowtide get approvals`\n"
    )
  })

  it("name the flag that a server refuses as it was typed, and the verb's own help", async () => {
    const fetch = async () => {
      const detail = "from: expected a time before 2026-11-23T14:05:09.000Z, found 2026-11-23T14:05:10.000Z"
      const type = "https://lowtide.dev/problems/invalid-query"
      const body = { type, status: 400, title: "Invalid Query", field: "from", detail }
      return new Response(JSON.stringify(body), {
        status: 400,
        headers: { "content-type": "application/problem+json" }
      })
    }
    const told = "error: --from: expected a time before 2026-11-23T14:05:09.000Z, found 2026-11-23T14:05:10.000Z"
    for (const commandLine of ["diff --from 14 --to 13", "-s http://127.0.0.1:1 diff --from=14 --to=13"]) {
      const { exitCode, stderr } = await lowtide(commandLine, { fetch })
      expect([exitCode, stderr]).toEqual([2, `${told}; see \`lowtide diff --help\`\n`])
    }
  })
})
