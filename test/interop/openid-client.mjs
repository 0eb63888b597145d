// A FAPI client by openid-client.
import * as library from 'openid-client'

// connect discovers the server and gives the client's operations.
//
// client: what is registered, and its private keys; credentials: {fetch, proofKey},
// how requests travel and the DPoP key pair, if any.
export async function connect(issuer, client, credentials) {
  const authentication = client.authMethod === 'private_key_jwt' ? library.PrivateKeyJwt(client.signingKey) : library.TlsClientAuth()
  const config = await library.discovery(new URL(issuer), client.clientId, client.metadata, authentication, {
    [library.customFetch]: credentials.fetch,
    execute: [library.enableNonRepudiationChecks, ...(client.jarm ? [library.useJwtResponseMode] : [])],
  })
  if (client.decryptionKey) {
    library.enableDecryptingResponses(config, [client.contentEncryption], client.decryptionKey)
  }
  return new Client(config, client, credentials.proofKey)
}

class Client {
  constructor(config, client, proofKey) {
    this.config = config
    this.client = client
    this.sender = proofKey && { DPoP: library.getDPoPHandle(config, proofKey) }
  }

  // push pushes an authorization request, and gives where the browser is to go and
  // what the answer is checked with.
  async push() {
    const checks = {
      pkceCodeVerifier: library.randomPKCECodeVerifier(), expectedState: library.randomState(),
      expectedNonce: library.randomNonce(), idTokenExpected: true,
    }
    let parameters = new URLSearchParams({
      redirect_uri: this.client.redirectUri, scope: this.client.scope,
      code_challenge: await library.calculatePKCECodeChallenge(checks.pkceCodeVerifier), code_challenge_method: 'S256',
      state: checks.expectedState, nonce: checks.expectedNonce,
    })
    if (this.client.signsRequests) {
      const signed = await library.buildAuthorizationUrlWithJAR(this.config, parameters, this.client.signingKey)
      parameters = signed.searchParams
    }
    const address = await library.buildAuthorizationUrlWithPAR(this.config, parameters, this.sender)
    return { address, checks }
  }

  // redeem checks the authorization response, and exchanges its code for tokens.
  async redeem(callback, checks) {
    const tokens = await library.authorizationCodeGrant(this.config, callback, checks, undefined, this.sender)
    return { ...tokens, claims: tokens.claims() }
  }

  userInfo(accessToken, subject) {
    return library.fetchUserInfo(this.config, accessToken, subject, this.sender)
  }

  refresh(refreshToken) {
    return library.refreshTokenGrant(this.config, refreshToken, undefined, this.sender)
  }

  clientCredentials(scope) {
    return library.clientCredentialsGrant(this.config, { scope }, this.sender)
  }

  introspect(token) {
    return library.tokenIntrospection(this.config, token)
  }

  revoke(token) {
    return library.tokenRevocation(this.config, token)
  }
}
