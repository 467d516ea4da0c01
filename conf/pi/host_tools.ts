/**
 * The service's side inside pi: what the host can ask of an agent that pi's RPC has no command for.
 * Loaded with `-e` by absolute path; spoken to through `prompt` ("/host-resume <note>"), never by people.
 * Each ability is one function that registers itself; the host's own tools will be further ones.
 */
import type { ExtensionAPI } from "@earendil-works/pi-coding-agent";

/** Goes on with an interrupted run: the note enters the context as the host's word, not as one of the person's. */
function registerResume(pi: ExtensionAPI): void {
	pi.registerCommand("host-resume", {
		description: "Continue the interrupted run (used by the service)",
		handler: async (note) => {
			pi.sendMessage({ customType: "host", content: note, display: false }, { triggerTurn: true });
		},
	});
}

export default function (pi: ExtensionAPI): void {
	registerResume(pi);
}
