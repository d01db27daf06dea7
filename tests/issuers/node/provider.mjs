// A provider of `oidc-provider`: node provider.mjs <port> <file with a private JWK Set>.
// Its access tokens are JWTs for the audience "api", for a client that logs in by itself.
import { readFileSync } from "node:fs";
import { Provider } from "oidc-provider";

const [port, file] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const provider = new Provider(issuer, {
  jwks: JSON.parse(readFileSync(file, "utf8")),
  clients: [
    {
      client_id: "robot",
      client_secret: "the secret of a robot in the tests",
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    },
  ],
  scopes: ["read", "write"],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => "urn:api",
      // A client may ask for a token for another resource (RFC 8707), as clients of MCP do.
      getResourceServerInfo: (context, resource) => ({
        scope: "read write",
        audience: resource === "urn:api" ? "api" : resource,
        accessTokenFormat: "jwt",
        accessTokenTTL: 600,
        jwt: { sign: { alg: process.env.ALG ?? "RS256" } },
      }),
    },
  },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("listening"));
