/** Keeps a page that fails to itself: its code cannot be had (offline, or a new release), or it has a defect. */
import { Component, type ReactNode } from 'react'
import { BrokenPage } from '../ui/states.tsx'

type State = { isBroken: boolean }

/** Only a class can be one. It stays broken: give it another key for another page. */
export class PageBoundary extends Component<{ children: ReactNode }, State> {
  static getDerivedStateFromError(): State {
    return { isBroken: true }
  }

  override state: State = { isBroken: false }

  override render(): ReactNode {
    return this.state.isBroken ? <BrokenPage /> : this.props.children
  }
}
