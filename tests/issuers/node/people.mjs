// A provider of `oidc-provider` with people: node people.mjs <port> <file with a private JWK Set>.
// Its own forms accept every name, and the ID token has the address of that name.
import { readFileSync } from "node:fs";
import { Provider } from "oidc-provider";

const [port, file] = process.argv.slice(2);

const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks: JSON.parse(readFileSync(file, "utf8")),
  clients: [
    {
      client_id: "shop",
      application_type: "web",
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code"],
      redirect_uris: ["http://shop.example/back"],
      response_types: ["code"],
    },
  ],
  scopes: ["openid", "email"],
  claims: { openid: ["sub"], email: ["email", "email_verified"] },
  conformIdTokenClaims: false, // the claims of the scope in the ID token, as large providers do
  findAccount: (context, name) => ({
    accountId: name,
    claims: () => ({ sub: name, email: `${name}@example.com`, email_verified: true }),
  }),
});
provider.listen(Number(port), "127.0.0.1", () => console.log("listening"));
