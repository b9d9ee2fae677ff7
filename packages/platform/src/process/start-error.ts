/**
 * A start that failed for a reason which the person who typed the command can mend: a taken port, a wrong
 * variable, a data directory in use. Its message is all they need: it is printed alone, without a stack.
 */
export class StartError extends Error {
  override name = 'StartError'
}
