// A client of an API with drf-tessera, made from its schema. tests/contrib/test_typescript.py checks the types.

import createClient from "openapi-fetch";

import type { components, paths } from "./schema.js";

type Session = components["schemas"]["TesseraSession"];

const client = createClient<paths>({ baseUrl: "https://example.com" });

export async function logIn(username: string, password: string): Promise<string> {
  const { data, error, response } = await client.POST("/api/token/", { body: { username, password } });
  if (data) {
    const id: number = data.user.id;
    const left: number = data.expires_in;
    return `${id} ${left} ${data.access}`;
  }
  switch (error.code) {
    case "login_failed":
      return "Try again.";
    case "throttled":
      return `Wait for ${response.headers.get("Retry-After")} seconds.`;
    case "invalid_request":
      return Object.keys("fields" in error ? (error.fields ?? {}) : {}).join();
    default: {
      const code: string = error.code;
      return `${code}: ${error.detail}`;
    }
  }
}

export async function refresh(token: string): Promise<string | null> {
  const { data, error } = await client.POST("/api/token/refresh/", { body: { refresh: token } });
  if (error) {
    return error.code === "refresh_reused" || error.code === "session_expired" ? null : error.detail;
  }
  return data.rotated === false ? token : data.refresh;
}

export async function listSessions(access: string): Promise<Session[]> {
  const headers = { Authorization: `Bearer ${access}` };
  const { data, error } = await client.GET("/api/token/sessions/", { headers });
  if (error?.code === "token_expired") {
    return [];
  }
  return data?.filter((session: Session) => session.current) ?? [];
}

export async function logOut(access: string, id: string): Promise<boolean> {
  const headers = { Authorization: `Bearer ${access}` };
  const params = { path: { session_id: id } };
  const { error } = await client.DELETE("/api/token/sessions/{session_id}/", { headers, params });
  const { data } = await client.POST("/api/token/revoke/", { headers, body: {} });
  return error?.code !== "session_not_found" && data?.revoked === true;
}
