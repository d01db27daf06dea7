// Compiled by `npm run types`, and never run. The types have to fit the use of the client.
import { createClient, TesseraError, type Session } from "./client.js";

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
// @ts-expect-error - there are two transports
createClient({ baseUrl: "/", transport: "body" });
// @ts-expect-error - there is no such event
client.on("expired", () => {});
// @ts-expect-error - a name is a text
await client.login({ username: 7, password: "x" });
await client.login({ ticket: "abc", answer: "123456", captcha: { solved: true } });
export { nickname, response, sessions, off, token };
