/** What another page does that a browser does itself when it loads one: begin at the top, with the focus in it. */
import type { AroundNavHandler } from 'wouter'

/** Of the part of the frame that a page is in. */
export const MAIN_ID = 'main'

/**
 * Around the ways the app itself goes to an address. Back and forward are the browser's, which knows how far
 * down one was; and a filter in the query is no other page.
 */
export const arrive: AroundNavHandler = (navigate, to, options) => {
  const before = window.location.pathname
  navigate(to, options)
  if (window.location.pathname === before) return
  window.scrollTo(0, 0)
  document.getElementById(MAIN_ID)?.focus({ preventScroll: true })
}
