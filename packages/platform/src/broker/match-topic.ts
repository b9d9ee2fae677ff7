/**
 * Binding keys of an AMQP topic exchange: words between dots, `*` for exactly one word, `#` for any number
 * of words, none included.
 */

/** Whether a queue bound with `pattern` gets events of this `type`. */
export function matchesTopic(pattern: string, type: string): boolean {
  if (pattern === '#' || pattern === type) return true
  return matchesWords(pattern.split('.'), type.split('.'))
}

function matchesWords([key, ...keys]: readonly string[], words: readonly string[]): boolean {
  if (key === undefined) return words.length === 0
  const [word, ...rest] = words
  if (key === '#') {
    return matchesWords(keys, words) || (word !== undefined && matchesWords([key, ...keys], rest))
  }
  return word !== undefined && (key === '*' || key === word) && matchesWords(keys, rest)
}
