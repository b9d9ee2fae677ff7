/** Writes what the charts' values mean into `docs/`: `make chart-docs`. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chartValues, chartValuesFile } from './chart-values.ts'
import { root } from './run.ts'

writeFileSync(join(root, chartValuesFile), chartValues())
