/** Choosing who to be, in trusted mode. */
import { Button, Menu, TextInput } from '@mantine/core'
import { IconUser } from '@tabler/icons-react'
import { type SubmitEvent, useState } from 'react'
import { suggestedUsers, useUser } from './user.tsx'

/** As the services have it; a browser's text field allows no control characters. */
const USER_ID_MAX_LENGTH = 128

export function UserSwitcher() {
  const { userId, become } = useUser()
  const [opened, setOpened] = useState(false)
  const [name, setName] = useState('')
  const choose = (next: string): void => {
    become(next)
    setName('')
    setOpened(false)
  }
  const submit = (event: SubmitEvent): void => {
    event.preventDefault()
    if (name.trim() !== '') choose(name.trim())
  }
  return (
    <Menu opened={opened} onChange={setOpened} position="bottom-end" width={220} trapFocus>
      <Menu.Target>
        <Button
          variant="default"
          leftSection={<IconUser size={16} aria-hidden />}
          aria-label={`You are ${userId}. Switch user`}
          maw={160}
        >
          {userId}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Switch user</Menu.Label>
        {suggestedUsers.map((suggested) => (
          <Menu.Item
            key={suggested}
            onClick={() => choose(suggested)}
            disabled={suggested === userId}
          >
            {suggested}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <form onSubmit={submit}>
          <TextInput
            p="xs"
            label="Other user name"
            value={name}
            maxLength={USER_ID_MAX_LENGTH}
            onChange={(event) => setName(event.currentTarget.value)}
            // The menu's own keys are for its items.
            onKeyDown={(event) => event.stopPropagation()}
          />
        </form>
      </Menu.Dropdown>
    </Menu>
  )
}
