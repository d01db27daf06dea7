// node verify.mjs <address of the JWK Set> <issuer> <audience>: reads a token from each line, and writes its
// subject, or "-" if jose refuses the token.
import { createInterface } from "node:readline";
import { createRemoteJWKSet, jwtVerify } from "jose";

const [address, issuer, audience] = process.argv.slice(2);
const keys = createRemoteJWKSet(new URL(address));
for await (const token of createInterface({ input: process.stdin })) {
  try {
    const { payload } = await jwtVerify(token, keys, { issuer, audience, typ: "at+jwt" });
    console.log(payload.sub);
  } catch (error) {
    console.log("-");
    console.error(error.code ?? error);
  }
}
