// Compiled by `npm run types`, and never run. The types have to fit the use of the client.
import { createClient, TesseraError, type Session } from "../src/drf_tessera/static/drf_tessera/client.js";
import { checks } from "../src/drf_tessera/static/drf_tessera/checks.js";
import { createClient as createCore } from "../src/drf_tessera/static/drf_tessera/core.js";
import { proofs } from "../src/drf_tessera/static/drf_tessera/proofs.js";
import { retries } from "../src/drf_tessera/static/drf_tessera/retries.js";
import { sessions as list } from "../src/drf_tessera/static/drf_tessera/sessions.js";
import { tabs } from "../src/drf_tessera/static/drf_tessera/tabs.js";

const client = createClient<{ id: number; nickname: string }>({ baseUrl: "/api/token/", transport: "cookie" });
const user = await client.login({ email: "anna@example.com", password: "x", device: "My laptop" });
const nickname: string = user.nickname;
const response: Response = await client.fetch("/api/notes/", { method: "POST", body: "x" });
const sessions: Session[] = await client.sessions();
const off: () => void = client.on("signedout", ({ reason, user: was }) => console.log(reason, was?.nickname));
const token: string | null = await client.token();
try {
  await client.refresh();
} catch (error) {
  if (error instanceof TesseraError && error.passing) console.log(error.retryAfter, error.code);
}
const off2: () => void = client.subscribe(({ status, user: now }) => console.log(status, now?.nickname));
const again = await client.reloadUser();
const accepted = await client.accept({ session: "s", expires_in: 300, access: "a", user: { id: 1, nickname: "n" } });
const plain = await client.fetch("/x/", { token: false, repeat: false });
createClient({
  baseUrl: "https://example.com/api/token/",
  transport: "header",
  storage: { getItem: async () => null, setItem: async () => {}, removeItem: () => {} },
  debug: console.debug,
  repeat: false,
});
function tell(error: TesseraError): string {
  switch (error.code) {
    case "login_failed":
      return "Try again.";
    case "a_code_of_my_own":
      return "Mine.";
    default:
      return error.fields?.email?.[0]?.message ?? error.detail;
  }
}
const off3: () => void = client.on("stepup", async ({ maxAge, acrValues }) => {
  await client.prove(acrValues.includes("otp") ? { answer: "123456" } : { password: `${maxAge ?? 0}` });
});
const proven: { nickname: string } | null = await client.prove({ passkey: {} }, "../passkeys/prove/");
const core = createCore({ baseUrl: "/api/token/", parts: { tabs, retries, checks } });
// @ts-expect-error - the core alone has no list of sessions
await core.sessions();
// @ts-expect-error - the core alone sends no proof
await core.prove({ password: "x" });
await createCore({ baseUrl: "/api/token/", parts: { proofs } }).prove({ password: "x" });
await createCore({ baseUrl: "/api/token/", parts: { sessions: list } }).sessions();
// @ts-expect-error - a grant has a session
await client.accept({ access: "a" });
// @ts-expect-error - there are three states
const wrong: boolean = client.status === "offline";
// @ts-expect-error - there are two transports
createClient({ baseUrl: "/", transport: "body" });
// @ts-expect-error - there is no such event
client.on("expired", () => {});
// @ts-expect-error - a name is a text
await client.login({ username: 7, password: "x" });
await client.login({ ticket: "abc", answer: "123456", captcha: { solved: true } });
export { nickname, response, sessions, off, token, off2, off3, proven, again, accepted, plain, tell, wrong };
