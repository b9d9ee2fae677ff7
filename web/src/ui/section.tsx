/** A part of a page with a heading, and what one can do with it beside that. */
import { Badge, Group, Paper, Title } from '@mantine/core'
import { type ReactNode, useId } from 'react'

export type SectionProps = {
  title: string
  /** What is shown could not be renewed. */
  isOld?: boolean
  actions?: ReactNode
  children: ReactNode
}

export function Section({ title, isOld = false, actions, children }: SectionProps) {
  const id = useId()
  return (
    <Paper withBorder component="section" p={{ base: 'sm', sm: 'md' }} aria-labelledby={id}>
      <Group justify="space-between" mb="sm" gap="xs" mih={34}>
        <Group gap="xs">
          <Title order={2} size="h4" id={id}>
            {title}
          </Title>
          <span role="status">
            {isOld && (
              <Badge color="gray" variant="default" tt="none">
                Out of date: retrying
              </Badge>
            )}
          </span>
        </Group>
        <Group gap="xs">{actions}</Group>
      </Group>
      {children}
    </Paper>
  )
}
