import { create } from '@bufbuild/protobuf'
import { type ChatMessage, ChatMessageSchema } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { describe, expect, it } from 'vitest'
import { mergeChat } from './chat-list.ts'

function message(id: string): ChatMessage {
  return create(ChatMessageSchema, { id, text: id })
}

describe('mergeChat', () => {
  it('has every message once, oldest first, by number and not by text', () => {
    const history = [message('1763717000123-10'), message('1763717000123-9'), message('999-0')]
    const live = [message('1763717000123-10'), message('1763717000124-0')]
    const ids = mergeChat(history, live, [message('1763717000124-0')]).map(({ id }) => id)
    expect(ids).toEqual(['999-0', '1763717000123-9', '1763717000123-10', '1763717000124-0'])
  })
})
