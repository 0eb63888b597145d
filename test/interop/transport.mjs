// How requests travel: over TLS that trusts the test's authority alone, with the
// client's certificate or without one.
import { Agent, fetch } from 'undici'

export class Transport {
  #agents = []

  // authority: the certificate, in PEM, that vouches for the server.
  constructor(authority) {
    this.authority = authority
  }

  // fetchWith gives a fetch that presents the certificate, {certificate, key} in
  // PEM; without one it presents none. It follows no redirects.
  fetchWith(certificate) {
    const identity = certificate && { cert: certificate.certificate, key: certificate.key }
    const dispatcher = new Agent({ connect: { ca: this.authority, ...identity } })
    this.#agents.push(dispatcher)
    return (url, options) => fetch(url, { redirect: 'manual', ...options, dispatcher })
  }

  // close drops all connections.
  close() {
    return Promise.all(this.#agents.map((agent) => agent.close()))
  }
}
