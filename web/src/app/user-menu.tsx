/** In the app bar: who is signed in, and how to be, or not to be any more. */
import { Button, Menu } from '@mantine/core'
import { IconLogin2, IconLogout, IconUser } from '@tabler/icons-react'
import { session } from './session.ts'
import { useUser } from './user.tsx'
import { UserSwitcher } from './user-switcher.tsx'

export function UserMenu() {
  const { userId, session: state } = useUser()
  if (state.mode === 'trusted') return <UserSwitcher />
  if (userId === '' || state.isEnded) return <SignInButton />
  const roles = [...(state.person?.roles ?? [])].join(', ')
  return (
    <Menu position="bottom-end" width={220}>
      <Menu.Target>
        <Button
          variant="default"
          leftSection={<IconUser size={16} aria-hidden />}
          aria-label={`You are ${userId}`}
          maw={160}
        >
          {userId}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{roles === '' ? 'Signed in' : `Signed in as ${roles}`}</Menu.Label>
        <Menu.Item
          leftSection={<IconLogout size={16} aria-hidden />}
          onClick={() => void session.signOut()}
        >
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}

export function SignInButton({ children = 'Sign in' }: { children?: string }) {
  const { session: state } = useUser()
  if (!state.canSignIn) return null
  return (
    <Button
      leftSection={<IconLogin2 size={16} aria-hidden />}
      onClick={() => void session.signIn()}
    >
      {children}
    </Button>
  )
}
