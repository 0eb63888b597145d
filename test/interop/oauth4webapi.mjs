// A FAPI client by oauth4webapi, which leaves every step to its caller.
import { compactDecrypt } from 'jose'
import * as library from 'oauth4webapi'

// connect discovers the server and gives the client's operations.
//
// client: what is registered, and its private keys; credentials: {fetch, proofKey},
// how requests travel and the DPoP key pair, if any.
export async function connect(issuer, client, credentials) {
  const transport = { [library.customFetch]: credentials.fetch }
  const server = await library.processDiscoveryResponse(new URL(issuer), await library.discoveryRequest(new URL(issuer), transport))
  return new Client(server, client, credentials, transport)
}

class Client {
  constructor(server, client, { proofKey }, transport) {
    this.server = server
    this.client = client
    this.me = { client_id: client.clientId, ...client.metadata }
    this.authentication = client.authMethod === 'private_key_jwt' ? library.PrivateKeyJwt(client.signingKey) : library.TlsClientAuth()
    this.transport = transport
    this.sender = { ...transport, ...(proofKey && { DPoP: library.DPoP(this.me, proofKey) }) }
    this.opening = client.decryptionKey && { [library.jweDecrypt]: (jwe) => decrypt(jwe, client) }
  }

  // push pushes an authorization request, and gives where the browser is to go and
  // what the answer is checked with.
  async push() {
    const checks = {
      codeVerifier: library.generateRandomCodeVerifier(), state: library.generateRandomState(), nonce: library.generateRandomNonce(),
    }
    let parameters = {
      client_id: this.client.clientId, response_type: 'code', redirect_uri: this.client.redirectUri, scope: this.client.scope,
      code_challenge: await library.calculatePKCECodeChallenge(checks.codeVerifier), code_challenge_method: 'S256',
      state: checks.state, nonce: checks.nonce, ...(this.client.jarm && { response_mode: 'jwt' }),
    }
    if (this.client.signsRequests) {
      const request = await library.issueRequestObject(this.server, this.me, parameters, this.client.signingKey)
      parameters = { client_id: this.client.clientId, request }
    }
    const response = await library.pushedAuthorizationRequest(this.server, this.me, this.authentication, parameters, this.sender)
    const { request_uri } = await library.processPushedAuthorizationResponse(this.server, this.me, response)
    const address = new URL(this.server.authorization_endpoint)
    address.search = new URLSearchParams({ client_id: this.client.clientId, request_uri })
    return { address, checks }
  }

  // redeem checks the authorization response, and exchanges its code for tokens.
  async redeem(callback, checks) {
    const parameters = await this.#validate(callback, checks.state)
    const response = await library.authorizationCodeGrantRequest(this.server, this.me, this.authentication, parameters,
      this.client.redirectUri, checks.codeVerifier, this.sender)
    const tokens = await library.processAuthorizationCodeResponse(this.server, this.me, response,
      { expectedNonce: checks.nonce, requireIdToken: true, ...this.opening })
    await library.validateApplicationLevelSignature(this.server, response, this.transport)
    return { ...tokens, claims: library.getValidatedIdTokenClaims(tokens) }
  }

  #validate(callback, state) {
    if (!this.client.jarm) {
      return library.validateAuthResponse(this.server, this.me, callback, state)
    }
    return library.validateJwtAuthResponse(this.server, this.me, callback, state, { ...this.transport, ...this.opening })
  }

  async userInfo(accessToken, subject) {
    const response = await library.userInfoRequest(this.server, this.me, accessToken, this.sender)
    return library.processUserInfoResponse(this.server, this.me, subject, response, this.opening)
  }

  async refresh(refreshToken) {
    const response = await library.refreshTokenGrantRequest(this.server, this.me, this.authentication, refreshToken, this.sender)
    return library.processRefreshTokenResponse(this.server, this.me, response, this.opening)
  }

  async clientCredentials(scope) {
    const response = await library.clientCredentialsGrantRequest(this.server, this.me, this.authentication, { scope }, this.sender)
    return library.processClientCredentialsResponse(this.server, this.me, response)
  }

  async introspect(token) {
    const response = await library.introspectionRequest(this.server, this.me, this.authentication, token, this.transport)
    return library.processIntrospectionResponse(this.server, this.me, response, this.opening)
  }

  async revoke(token) {
    const response = await library.revocationRequest(this.server, this.me, this.authentication, token, this.transport)
    return library.processRevocationResponse(response)
  }
}

async function decrypt(jwe, { decryptionKey, contentEncryption }) {
  const { plaintext } = await compactDecrypt(jwe, decryptionKey.key, {
    keyManagementAlgorithms: [decryptionKey.alg], contentEncryptionAlgorithms: [contentEncryption],
  }).catch((cause) => {
    throw new library.OperationProcessingError('decryption failed', { cause, code: 'OAUTH_DECRYPTION_FAILED' })
  })
  return new TextDecoder().decode(plaintext)
}
