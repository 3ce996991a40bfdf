// The real npm `oidc-provider` on loopback, for tests: `node provider.mjs PORT SETTINGS`.
// SETTINGS is JSON: {alg, clients, accounts}. Its built-in pages take any password. It says "ready ISSUER" once it
// answers, and writes each error that it meets to stderr. It ends with its stdin.

import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';

import Provider from 'oidc-provider';

const [, , port, settings] = process.argv;
const { alg, clients, accounts } = JSON.parse(settings);

function madeKey() {
  const kind = { RS256: 'rsa', PS256: 'rsa', ES256: 'ec', EdDSA: 'ed25519' }[alg];
  const { privateKey } = generateKeyPairSync(kind, { modulusLength: 2048, namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg };
}

const issuer = `http://127.0.0.1:${port}`;
const provider = new Provider(issuer, {
  clients: clients.map((client) => ({ id_token_signed_response_alg: alg, ...client })),
  jwks: { keys: [madeKey()] },
  cookies: { keys: ['a key that signs cookies of tests alone'] },
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['name', 'groups', 'roles', 'country'],
  },
  features: {
    devInteractions: { enabled: true },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: { enabled: true },
  },
  // Its own connections refuse loopback, where the service under test is.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'] },
  async findAccount(_, id) {
    const known = accounts[id];
    return known && { accountId: id, claims: () => ({ sub: id, ...known }) };
  },
});
for (const event of ['server_error', 'authorization.error', 'grant.error', 'backchannel.error']) {
  provider.on(event, (...given) => console.error(event, ...given.map((one) => one?.error_description ?? one?.message ?? '')));
}

const server = createServer(provider.callback());
server.listen(Number(port), '127.0.0.1', () => console.log(`ready ${issuer}`));
process.stdin.on('end', () => process.exit(0)).resume();
