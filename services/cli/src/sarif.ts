import { isAbsolute } from "node:path"
import { pathToFileURL } from "node:url"
import { codes, type Finding } from "@lowtide/domain"
import { version } from "./verbs/version.ts"

/** Findings as SARIF 2.1.0 (OASIS), which code hosts show beside the lines of a change. */
export const toSarif = (findings: ReadonlyArray<Finding>): unknown => {
  const rules = [...new Set(findings.map(({ code }) => code))].sort()
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "lowtide",
            version,
            informationUri: "https://lowtide.dev",
            rules: rules.map((code) => ({
              id: code,
              shortDescription: { text: codes[code].title },
              fullDescription: { text: codes[code].cause },
              help: { text: codes[code].fix },
              defaultConfiguration: { level: codes[code].severity }
            }))
          }
        },
        results: findings.map(({ code, severity, message, fix, source, object, field }) => ({
          ruleId: code,
          ruleIndex: rules.indexOf(code),
          level: severity,
          message: { text: `${message}. Fix: ${fix}` },
          locations: [
            {
              ...(source === undefined
                ? {}
                : {
                    physicalLocation: {
                      artifactLocation: { uri: uriOf(source.file) },
                      region: { startLine: source.line }
                    }
                  }),
              logicalLocations: [
                {
                  fullyQualifiedName: [object.kind, object.namespace ?? "", object.name, field].join("/"),
                  kind: "object"
                }
              ]
            }
          ]
        }))
      }
    ]
  }
}

/** A relative path stays one, so that it means the file of whoever checked the sources out. */
const uriOf = (file: string): string =>
  isAbsolute(file) ? pathToFileURL(file).href : file.split("/").map(encodeURIComponent).join("/")
