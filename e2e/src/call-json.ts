/** One procedure as any client without a library calls it: JSON over HTTP/1.1. */

/** Longer than any server takes in good health. */
const answerLimitMs = 20_000

/**
 * Returns the answer's body, whose shape the caller knows. Throws with status and body on anything but 200.
 *
 * @param procedure e.g. `bids.v1.BidService/GetItem`
 */
export async function callJson<Answer>(
  url: string,
  procedure: string,
  request: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const response = await fetch(`${url}/${procedure}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(request),
    signal: AbortSignal.timeout(answerLimitMs),
  })
  const body = await response.text()
  if (response.status !== 200) throw new Error(`${procedure}: ${response.status} ${body}`)
  const answer: Answer = JSON.parse(body)
  return answer
}
