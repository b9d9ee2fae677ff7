/** Who uses the app. In trusted mode anybody may be anybody: a name is chosen, and kept by the browser. */
import { createContext, type ReactNode, use, useMemo, useState } from 'react'

const STORED_AS = 'bidmesh.user'
/** For a first visit: somebody to be. */
export const suggestedUsers = ['ann', 'bob', 'cleo', 'dev', 'eve'] as const

type User = { userId: string; become: (userId: string) => void }

const UserContext = createContext<User>({ userId: suggestedUsers[0], become: () => undefined })

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
  const user = useMemo(
    () => ({
      userId,
      become: (next: string) => {
        store(next)
        setUserId(next)
      },
    }),
    [userId],
  )
  return <UserContext value={user}>{children}</UserContext>
}

export function useUser(): User {
  return use(UserContext)
}
