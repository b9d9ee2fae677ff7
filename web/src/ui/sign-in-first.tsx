/** Instead of what only somebody who has signed in can have, or somebody with a role. */
import { SignInButton } from '../app/user-menu.tsx'
import { type Role, useUser } from '../app/user.tsx'
import { EmptyState } from './states.tsx'

/** What is missing for it: to sign in, the role, or nothing. */
export function useLack(role: Role): 'sign-in' | 'role' | undefined {
  const { userId, has } = useUser()
  if (userId === '') return 'sign-in'
  return has(role) ? undefined : 'role'
}

/** @param what completes "Sign in to …" */
export function SignInFirst({ what }: { what: string }) {
  const { session } = useUser()
  return (
    <EmptyState title={`Sign in to ${what}`}>
      {session.canSignIn ? (
        <SignInButton />
      ) : (
        'Nobody can sign in here: the server has no sign-in page.'
      )}
    </EmptyState>
  )
}
