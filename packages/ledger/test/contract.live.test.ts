import { Effect } from "effect"
import { ledgerPostgres } from "../src/index.ts"
import { ledgerContract } from "./contract.ts"
import { liveDatabases } from "./live-database.ts"

const databases = liveDatabases()

ledgerContract("postgres", Effect.map(databases.fresh(), ledgerPostgres))
