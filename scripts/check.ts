/**
 * `make check`: everything that can be said about the sources without a service. Fast first, all of it
 * must pass: types, lint, format, protos, generated code fresh.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chartValues, chartValuesFile } from './chart-values.ts'
import { writeProtoDeps } from './proto-deps.ts'
import { capture, root, run } from './run.ts'

step('types', () => {
  run('tsc', ['-p', '.'])
  run('tsc', ['-p', 'web'])
})
step('lint', () => run('oxlint', ['--type-aware', '--deny-warnings']))
step('format', () => run('oxfmt', ['--check', '.']))
step('protos', () => {
  writeProtoDeps()
  run('buf', ['lint'])
  checkBreaking()
})
step('generated code', () => {
  checkGenerated()
  checkChartValues()
})

function step(name: string, check: () => void): void {
  process.stdout.write(`${name} …\n`)
  const startMs = performance.now()
  check()
  process.stdout.write(`${name} ok (${((performance.now() - startMs) / 1_000).toFixed(1)} s)\n`)
}

/** Against the protos of the main branch as last fetched; a first commit has nothing to compare with. */
function checkBreaking(): void {
  const base = ['origin/main', 'HEAD'].find(
    (ref) => capture('git', ['cat-file', '-e', `${ref}:proto/bids/v1/bid_service.proto`]).ok,
  )
  if (!base) {
    process.stdout.write('  no committed protos yet: nothing to compare with\n')
    return
  }
  // The old protos as files: buf would need the old validate.proto as well, which only npm has.
  const folder = mkdtempSync(join(tmpdir(), 'bidmesh-protos-'))
  try {
    run('sh', ['-c', `git archive ${base} proto | tar -x -C ${folder}`])
    run('cp', ['-r', '.buf-deps', 'buf.yaml', folder])
    run('buf', ['breaking', '--against', folder])
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Generates anew into a temporary folder and compares. */
function checkGenerated(): void {
  const folder = mkdtempSync(join(tmpdir(), 'bidmesh-gen-'))
  try {
    run('buf', ['generate', '--output', folder])
    const { ok, text } = capture('diff', [
      '-r',
      '-x',
      'package.json',
      `${folder}/gen`,
      `${root}/gen`,
    ])
    if (ok) return
    process.stderr.write(`${text}\ngen/ is stale: run make proto-gen and commit the result\n`)
    process.exit(1)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function checkChartValues(): void {
  if (readFileSync(join(root, chartValuesFile), 'utf8') === chartValues()) return
  process.stderr.write(`${chartValuesFile} is stale: run make chart-docs and commit the result\n`)
  process.exit(1)
}
