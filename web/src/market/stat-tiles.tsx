/** A few numbers side by side, each with what it counts. */
import { Paper, SimpleGrid, Skeleton, Text } from '@mantine/core'

/** Longer figures are written smaller: they are never cut off. */
const LONG_LENGTH = 11

export type Tile = {
  label: string
  /** One line or several; undefined while it is being asked for. */
  value: string | undefined
  /** A second line; all tiles of a row have one or none has. */
  hint?: string
}

export type StatTilesProps = { tiles: readonly Tile[]; label: string; phoneColumns?: number }

export function StatTiles({ tiles, label, phoneColumns = 3 }: StatTilesProps) {
  return (
    <SimpleGrid
      component="dl"
      cols={{ base: 2, xs: phoneColumns, md: tiles.length }}
      spacing="sm"
      m={0}
      aria-label={label}
    >
      {tiles.map(({ label: name, value, hint }) => (
        <Paper key={name} withBorder px={{ base: 'sm', sm: 'md' }} py="sm">
          <Text component="dt" size="xs" c="dimmed" truncate>
            {name}
          </Text>
          <Text
            component="dd"
            m={0}
            fz={longestLine(value) > LONG_LENGTH ? 'sm' : { base: 'md', sm: 'lg' }}
            fw={650}
            lh={1.4}
            style={{ overflowWrap: 'anywhere', whiteSpace: 'pre-line' }}
          >
            {value ?? <Skeleton component="span" display="block" h={18} my={4} w="70%" />}
          </Text>
          {hint !== undefined && (
            <Text component="dd" m={0} size="xs" c="dimmed" truncate title={hint}>
              {hint || ' '}
            </Text>
          )}
        </Paper>
      ))}
    </SimpleGrid>
  )
}

function longestLine(value = ''): number {
  return Math.max(...value.split('\n').map((line) => line.length))
}
