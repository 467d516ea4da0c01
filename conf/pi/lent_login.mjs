/**
 * Gives a sandboxed pi the logins of its folder, which it sees as auth.lent.json and cannot change. Loaded by node's
 * `--import`, before pi. What renews a login is left out: a provider that gives out another one takes the old one back,
 * pi could not keep the new one from in there, and all other agents would be logged out.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const folder = process.env.PI_CODING_AGENT_DIR;
const lent = `${folder}/auth.lent.json`;
if (existsSync(lent)) {
	const logins = JSON.parse(readFileSync(lent, "utf8").replace(/^\uFEFF/, ""));
	for (const login of Object.values(logins)) if (login?.type === "oauth") login.refresh = "";
	writeFileSync(`${folder}/auth.json`, JSON.stringify(logins), { mode: 0o600 });
}
