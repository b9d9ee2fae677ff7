/** Says that a sign-in is over, or did not work; and asks for another one, on whatever page that is. */
import { Alert, Button, Text } from '@mantine/core'
import { IconLogin2 } from '@tabler/icons-react'
import { session } from './session.ts'
import { useUser } from './user.tsx'

export function SignInBanner() {
  const { session: state } = useUser()
  const { isEnded, problem } = state
  if (!isEnded && problem === undefined) return null
  return (
    <Alert
      color="yellow"
      icon={<IconLogin2 aria-hidden />}
      title={
        <Text span inherit c="bright">
          {problem ?? 'Your sign-in has ended'}
        </Text>
      }
      mb="md"
      role="alert"
      {...(!isEnded && { withCloseButton: true, closeButtonLabel: 'Close' })}
      onClose={session.forgetProblem}
    >
      {isEnded && (
        <Button size="xs" variant="default" onClick={() => void session.signIn()}>
          Sign in again
        </Button>
      )}
    </Alert>
  )
}
