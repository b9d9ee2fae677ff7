import { expect, it } from 'vitest'
import { halfFilled } from './use-form-faults.ts'

it('finds the fields that are neither empty nor filled in', () => {
  const field = (name: string, badInput: boolean) => ({ name, validity: { badInput } })
  const faults = halfFilled([field('startAt', true), field('endAt', false), field('', false)])
  expect([...faults]).toEqual([['startAt', 'Enter a full date and time.']])
})
