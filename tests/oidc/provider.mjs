// An OpenID provider as its makers ship it, with their pages for login and consent: any name and password will do.
//
//   node provider.mjs MODULE PORT REDIRECT_URI...      in the folder with the certificate for localhost
//
// A user's name says which claims there are: `many-claims` has 8 KB of them, `too-many-claims` 12 KB.
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';

const [module, port, ...redirectUris] = process.argv.slice(2);
const { default: Provider } = await import(module);

// A provider that is started again signs with the key that it had.
if (!existsSync('provider.pem')) {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    writeFileSync('provider.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }));
}
const key = createPrivateKey(readFileSync('provider.pem')).export({ format: 'jwk' });

const notes = { 'many-claims': 8 * 1024, 'too-many-claims': 12 * 1024 };
const web = {
    client_secret: 'a secret: with + and %',
    redirect_uris: redirectUris,
    grant_types: ['authorization_code', 'refresh_token'],
};
const program = {
    client_secret: 'program',
    redirect_uris: [],
    response_types: [],
    grant_types: ['client_credentials'],
};

const provider = new Provider(`https://localhost:${port}`, {
    clients: [
        { client_id: 'site', ...web },
        { client_id: 'brief site', ...web },
        { client_id: 'program', ...program },
        { client_id: 'brief program', ...program },
    ],
    jwks: { keys: [{ ...key, kid: 'signing', use: 'sig', alg: 'RS256' }] },
    cookies: { keys: ['of the test'] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'groups', 'note'] },
    findAccount: (_, id) => ({
        accountId: id,
        claims: () => ({
            sub: id,
            email: `${id}@example.com`,
            email_verified: true,
            name: 'Zoë Müller-Łukasz',
            groups: ['readers', 'writers'],
            note: 'x'.repeat(notes[id] ?? 0),
        }),
    }),
    features: {
        clientCredentials: { enabled: true },
        resourceIndicators: {
            enabled: true,
            getResourceServerInfo: (_, audience, client) => ({
                scope: 'read write',
                audience,
                accessTokenFormat: 'jwt',
                accessTokenTTL: client.clientId === 'brief program' ? 2 : 3600,
                jwt: { sign: { alg: 'RS256' } },
            }),
        },
    },
    // The strict way: a refresh token that comes twice ends all that was granted.
    rotateRefreshToken: true,
    ttl: {
        AccessToken: (_, token, client) => token.resourceServer?.accessTokenTTL ?? (client.clientId === 'brief site' ? 3 : 3600),
        ClientCredentials: (_, token) => token.resourceServer?.accessTokenTTL ?? 600,
        Grant: () => 3600,
        IdToken: () => 3600,
        Interaction: () => 3600,
        RefreshToken: () => 3600,
        Session: () => 3600,
    },
});
provider.on('server_error', (_, error) => console.error(error));
provider.on('grant.error', (_, error) => console.error('grant refused:', error.error, error.error_detail));

const certificate = { cert: readFileSync('localhost.pem'), key: readFileSync('localhost.key') };
createServer(certificate, provider.callback()).listen(Number(port), '127.0.0.1', () => console.error('listens'));
