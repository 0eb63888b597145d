// The whole flow of each client of a configuration, by one library:
//
//     node flow.mjs openid-client|oauth4webapi config.json
//
// prints, for each client, what it was given and what it was refused, as JSON. What
// that must be is said in interop_test.go.
import { readFile } from 'node:fs/promises'
import { argv, stdout } from 'node:process'
import { importJWK } from 'jose'
import { generateKeyPair } from 'oauth4webapi'
import { Browser } from './browser.mjs'
import { Transport } from './transport.mjs'

const [, , name, configFile] = argv
const { connect } = await import(`./${name}.mjs`)
const world = JSON.parse(await readFile(configFile, 'utf8'))
const transport = new Transport(world.authority)
const bare = transport.fetchWith()
const strange = transport.fetchWith(world.stranger)
const browser = new Browser(bare, world.person)

const results = {}
for (const [name, registered] of Object.entries(world.clients)) {
  results[name] = await run(registered).catch((error) => ({ failure: describe(error) }))
}
await transport.close()
stdout.write(JSON.stringify(results))

async function run(registered) {
  const client = await withKeys(registered)
  const credentials = { fetch: transport.fetchWith(client.certificate), proofKey: client.proofKey }
  const app = await connect(world.issuer, client, credentials)
  const first = await logIn(app)
  const seen = { tokens: first.tokens, userinfo: await app.userInfo(first.tokens.access_token, first.tokens.claims.sub) }
  seen.introspected = await app.introspect(first.tokens.access_token)
  seen.refreshed = await app.refresh(first.tokens.refresh_token)
  seen.userinfoOfRefreshed = await app.userInfo(seen.refreshed.access_token, first.tokens.claims.sub)
  seen.refused = {
    ...(await steal(client, credentials, first)),
    ...(await replay(app, first)),
    ...(await revoke(app)),
  }
  seen.introspectedAfterReplay = await app.introspect(first.tokens.access_token)
  seen.noticed = await forge(app, client)
  seen.clientCredentials = await app.clientCredentials('accounts')
  await app.revoke(seen.clientCredentials.access_token)
  return seen
}

// logIn goes from the pushed request to the tokens.
async function logIn(app) {
  const { address, checks } = await app.push()
  const callback = await browser.authorize(address)
  return { callback, checks, tokens: await app.redeem(callback, checks) }
}

// steal shows the access token without what it is bound to, and with another's; and
// asks for one that is bound to nothing.
async function steal(client, credentials, { tokens }) {
  const thieves = client.proofKey
    ? { another: { ...credentials, proofKey: await generateKeyPair('ES256') }, none: { ...credentials, proofKey: undefined } }
    : { another: { fetch: strange }, none: { fetch: bare } }
  const another = await connect(world.issuer, client, thieves.another)
  const none = await connect(world.issuer, client, thieves.none)
  return {
    'userinfo with another key': await refusal(another.userInfo(tokens.access_token, tokens.claims.sub)),
    'userinfo without a key': await refusal(none.userInfo(tokens.access_token, tokens.claims.sub)),
    'token request without a key': await refusal(none.clientCredentials('accounts')),
  }
}

// replay redeems a code again, which ends everything that it was redeemed for.
async function replay(app, { callback, checks, tokens }) {
  return {
    'replayed code': await refusal(app.redeem(callback, checks)),
    'userinfo after the replay': await refusal(app.userInfo(tokens.access_token, tokens.claims.sub)),
    'refresh after the replay': await refusal(app.refresh(tokens.refresh_token)),
  }
}

// revoke revokes a refresh token, and the access token with it.
async function revoke(app) {
  const { tokens } = await logIn(app)
  await app.revoke(tokens.refresh_token)
  return {
    'userinfo after revocation': await refusal(app.userInfo(tokens.access_token, tokens.claims.sub)),
    'refresh after revocation': await refusal(app.refresh(tokens.refresh_token)),
  }
}

// forge changes an authorization response on its way. The library notices, where
// the server's metadata and response let it.
async function forge(app, client) {
  const { address, checks } = await app.push()
  const callback = await browser.authorize(address)
  const forgeries = client.jarm
    ? { 'response tampered with': change(callback, 'response', tampered) }
    : { 'iss of another server': change(callback, 'iss', () => 'https://elsewhere.example'), 'iss left out': change(callback, 'iss') }
  const noticed = {}
  for (const [name, forged] of Object.entries(forgeries)) {
    noticed[name] = await app.redeem(forged, checks).then(() => '', (error) => error.code ?? describe(error))
  }
  return noticed
}

function change(callback, parameter, to) {
  const forged = new URL(callback)
  const value = forged.searchParams.get(parameter)
  forged.searchParams.delete(parameter)
  if (to) {
    forged.searchParams.set(parameter, to(value))
  }
  return forged
}

// tampered changes the second character of the last part: its last ones may carry bits that count for nothing.
function tampered(jwt) {
  const place = jwt.lastIndexOf('.') + 2
  return jwt.slice(0, place) + (jwt[place] === 'A' ? 'B' : 'A') + jwt.slice(place + 1)
}

// refusal gives what an endpoint answers that has to refuse.
async function refusal(answer) {
  try {
    await answer
  } catch (error) {
    if (error.status) {
      return { status: error.status, error: error.error ?? error.cause[0].parameters.error }
    }
    throw error
  }
  return {}
}

// withKeys makes keys of the registered client's JWKs.
async function withKeys(registered) {
  const { signingKey, proofKey, decryptionKey } = registered
  return {
    ...registered,
    signingKey: signingKey && { key: await importJWK(signingKey), kid: signingKey.kid },
    proofKey: proofKey && { privateKey: await importJWK(proofKey), publicKey: await importJWK(publicHalf(proofKey), proofKey.alg, { extractable: true }) },
    decryptionKey: decryptionKey && { key: await importJWK(decryptionKey), kid: decryptionKey.kid, alg: decryptionKey.alg },
  }
}

// publicHalf leaves out the private members of RFC 7518, 6.2.2 and 6.3.2, and RFC 8037, 2.
function publicHalf({ d, p, q, dp, dq, qi, ...members }) {
  return members
}

function describe(error) {
  const cause = error.cause ? `, caused by ${describe(error.cause)}` : ''
  return `${error.stack ?? JSON.stringify(error)}${cause}`
}
