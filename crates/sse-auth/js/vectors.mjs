// Writes ../tests/jose-vectors.json: a token of every algorithm, with its public key, that is valid
// for a hundred years. Run by hand: node vectors.mjs

import { writeFileSync } from "node:fs";
import * as jose from "jose";

const exp = Math.floor(Date.now() / 1000) + 100 * 365 * 86_400;
const vectors = [];
for (const alg of ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]) {
  const { publicKey, privateKey } = await jose.generateKeyPair(alg, { extractable: true });
  const token = await new jose.SignJWT({ sub: "ada", exp }).setProtectedHeader({ alg, kid: alg }).sign(privateKey);
  const jwk = { ...(await jose.exportJWK(publicKey)), kid: alg, use: "sig" };
  vectors.push({ alg, token, jwk, pem: await jose.exportSPKI(publicKey) });
}
writeFileSync(new URL("../tests/jose-vectors.json", import.meta.url), `${JSON.stringify(vectors, null, 1)}\n`);
