/** What an UpdateItem asks for: by its mask, or without one by the fields that are there. */
import type { ItemTexts } from '@bidmesh/auction/events.ts'
import type { UpdateItemRequest } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { changeRejected } from './errors.ts'

const names = ['title', 'description', 'images', 'category'] as const satisfies (keyof ItemTexts)[]

/** Throws INVALID_ARGUMENT for a mask that names anything else, or clears what must not be empty. */
export function editedTexts(request: UpdateItemRequest): Partial<ItemTexts> {
  const paths = request.updateMask?.paths ?? []
  if (paths.length === 0) return givenTexts(request)
  const unknown = paths.filter((path) => !names.some((name) => name === path))
  if (unknown.length > 0) {
    const message = `update_mask: ${unknown.join(', ')} cannot be updated; what can be: ${names.join(', ')}`
    throw changeRejected('invalid_request', undefined, message)
  }
  const { title = '', description = '', images, category = '' } = request
  if (title === '' && paths.includes('title')) {
    throw changeRejected('invalid_request', undefined, 'title: must be at least 1 character')
  }
  return only({ title, description, images, category }, (name) => paths.includes(name))
}

function givenTexts({ title, description, images, category }: UpdateItemRequest) {
  const texts = { title, description, images: images.length > 0 ? images : undefined, category }
  return only(texts, (name) => texts[name] !== undefined)
}

type Texts = { [Name in keyof ItemTexts]: ItemTexts[Name] | undefined }

function only(texts: Texts, wanted: (name: keyof ItemTexts) => boolean): Partial<ItemTexts> {
  const entries = names.filter(wanted).map((name) => [name, texts[name]])
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a subset of what came in
  return Object.fromEntries(entries) as Partial<ItemTexts>
}
