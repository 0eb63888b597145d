// A browser without a screen or JavaScript: it keeps cookies, follows redirects
// within the server, and submits forms.
import { parse } from 'parse5'

// More than any honest server needs.
const maxRedirects = 10

export class Browser {
  #cookies = new Map()

  // person: {username, password}, who sits before it.
  constructor(fetch, person) {
    this.fetch = fetch
    this.person = person
  }

  // authorize goes to the authorization endpoint, logs in where that is asked for,
  // consents, and gives the address that the server then sends the browser to.
  async authorize(address) {
    let page = await this.#follow(new URL(address), { method: 'GET' })
    if (page.has('login')) {
      page = await this.#click(page, 'login', this.person)
    }
    if (page.has('approve')) {
      page = await this.#click(page, 'approve')
    }
    if (!page.callback) {
      throw new Error(`the server shows a page in place of the authorization response: ${page.text}`)
    }
    return page.callback
  }

  // #click submits the form that the button stands in, with the fields filled in by their ids.
  #click(page, button, fields = {}) {
    const { action, values } = page.form(button, fields)
    const target = new URL(action, page.address)
    return this.#follow(target, { method: 'POST', body: new URLSearchParams(values), headers: { origin: page.address.origin } })
  }

  async #follow(address, request) {
    const home = address.origin
    for (let redirects = 0; redirects <= maxRedirects; redirects++) {
      const response = await this.#load(address, request)
      const body = await response.text()
      const location = response.headers.get('location')
      if (!location) {
        return new Page(address, body)
      }
      address = new URL(location, address)
      if (address.origin !== home) {
        return { callback: address, has: () => false }
      }
      request = { method: 'GET' }
    }
    throw new Error(`more than ${maxRedirects} redirects, the last to ${address.pathname}`)
  }

  async #load(address, request) {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await this.fetch(address, { ...request, headers: { ...request.headers, ...(cookie && { cookie }) } })
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)
      this.#cookies.set(name, value)
    }
    return response
  }
}

class Page {
  constructor(address, html) {
    this.address = address
    this.document = parse(html)
  }

  has(id) {
    return this.#element(id) !== undefined
  }

  get text() {
    const texts = [...descendants(this.document)].filter((node) => node.nodeName === '#text' && node.parentNode.nodeName !== 'style')
    return texts.map((node) => node.value).join(' ').replace(/\s+/g, ' ')
  }

  // form gives the action of the form around the button, and the inputs as they
  // stand or are filled in.
  form(button, fields) {
    const element = this.#element(button)
    const form = enclosing(element, 'form')
    const values = {}
    for (const node of descendants(form)) {
      if (node.nodeName === 'input') {
        values[attribute(node, 'name')] = fields[attribute(node, 'id')] ?? attribute(node, 'value') ?? ''
      }
    }
    if (attribute(element, 'name')) {
      values[attribute(element, 'name')] = attribute(element, 'value')
    }
    return { action: attribute(form, 'action'), values }
  }

  #element(id) {
    for (const node of descendants(this.document)) {
      if (attribute(node, 'id') === id) {
        return node
      }
    }
  }
}

function* descendants(node) {
  for (const child of node.childNodes ?? []) {
    yield child
    yield* descendants(child)
  }
}

function enclosing(node, name) {
  while (node && node.nodeName !== name) {
    node = node.parentNode
  }
  return node
}

function attribute(node, name) {
  return node.attrs?.find((attribute) => attribute.name === name)?.value
}
