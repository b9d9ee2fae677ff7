/** Time left until an auction ends (or starts), by the server's clock. */
import { Text, type TextProps, VisuallyHidden } from '@mantine/core'
import { useServerNow } from '../app/server-time.tsx'
import { formatLeft, formatMoment } from './time.ts'

/** When it is worth hurrying. */
const URGENT_MS = 60_000

export type CountdownProps = { endMs: number; word?: 'ends' | 'starts' } & TextProps

export function Countdown({ endMs, word = 'ends', ...text }: CountdownProps) {
  const leftMs = endMs - useServerNow()
  const urgent = word === 'ends' && leftMs < URGENT_MS
  const over = word === 'ends' ? 'ending…' : 'starting…'
  return (
    <Text
      span
      ff="monospace"
      {...(urgent && { c: 'red', fw: 700 })}
      {...text}
      title={formatMoment(endMs)}
      data-testid="countdown"
    >
      <span aria-hidden>{leftMs > 0 ? formatLeft(leftMs) : over}</span>
      <VisuallyHidden>
        {word} {formatMoment(endMs)}
      </VisuallyHidden>
    </Text>
  )
}
