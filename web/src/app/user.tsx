/**
 * Who uses the app, and what they may. In trusted mode anybody may be anybody: a name is chosen, and kept by the browser.
 * Otherwise it is who has signed in.
 */
import { createContext, type ReactNode, use, useMemo, useState, useSyncExternalStore } from 'react'
import { session, type SessionState } from './session.ts'

const STORED_AS = 'bidmesh.user'
/** For a first visit: somebody to be. */
export const suggestedUsers = ['ann', 'bob', 'cleo', 'dev', 'eve'] as const

export type Role = 'bidder' | 'seller' | 'analyst' | 'operator'

export type User = {
  /** '' for who has not signed in. */
  userId: string
  become: (userId: string) => void
  /** Whether they have the role; in trusted mode everybody has all but operator. */
  has: (role: Role) => boolean
  session: SessionState
}

const UserContext = createContext<User | undefined>(undefined)

/** A browser that is told to keep nothing throws: a name then lasts as long as the page. */
function stored(): string | null {
  try {
    return localStorage.getItem(STORED_AS)
  } catch {
    return null
  }
}

function store(userId: string): void {
  try {
    localStorage.setItem(STORED_AS, userId)
  } catch {
    // The page has it, if nothing else does.
  }
}

export function UserProvider({ children }: { children: ReactNode }) {
  const [userId, setUserId] = useState(() => stored() ?? suggestedUsers[0])
  const state = useSyncExternalStore(session.subscribe, session.state)
  const user = useMemo(
    () => ({
      ...(state.mode === 'trusted'
        ? { userId, has: (role: Role) => role !== 'operator' }
        : {
            userId: state.person?.userId ?? '',
            has: (role: Role) => state.person?.roles.has(role) === true,
          }),
      session: state,
      become: (next: string) => {
        store(next)
        setUserId(next)
      },
    }),
    [userId, state],
  )
  return <UserContext value={user}>{children}</UserContext>
}

export function useUser(): User {
  const user = use(UserContext)
  if (!user) throw new Error('no UserProvider around this')
  return user
}
