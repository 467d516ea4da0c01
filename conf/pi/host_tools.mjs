/**
 * The service's side inside pi: what the host can ask of an agent that pi's RPC has no command for, and the tools by
 * which an agent asks something of the host. Loaded with `-e` by absolute path; plain JavaScript, because a transpiler
 * costs each start 100 ms. Each ability is one function that registers itself.
 *
 * DISPATCHD_HOST_TOOLS has the tools as JSON, with all that pi is to know of one but how it is done: [{name, label,
 * description, promptSnippet, parameters}]; DISPATCHD_HOST_MARK is the title by which the host knows a call of ours among
 * the dialogs of other extensions; DISPATCHD_HOST_LOGIN says which variable has the key of which provider:
 * {"zai": "ZAI_API_KEY"}.
 */

/** Goes on with an interrupted run: the note enters the context as the host's word, not as one of the person's. */
function registerResume(pi) {
	pi.registerCommand("host-resume", {
		description: "Continue the interrupted run (used by the service)",
		handler: async (note) => {
			pi.sendMessage({ customType: "host", content: note, display: false }, { triggerTurn: true });
		},
	});
}

/** Takes a variable out of the environment, so that what the agent starts does not inherit it. */
function take(name) {
	const value = process.env[name];
	delete process.env[name];
	return value;
}

/**
 * Gives pi the key of a provider, out of the environment. pi reads `$` in a key as the beginning of a variable's name
 * and `!` at its beginning as a command.
 */
function registerKey(pi, provider, variable) {
	const key = take(variable);
	if (key) pi.registerProvider(provider, { apiKey: key.replaceAll("$", "$$$$").replace(/^!/, "$!") });
}

/**
 * How long a call may be, in characters: the line that it becomes has at most three bytes for each, and the host reads
 * lines of up to 8 MiB. What it cannot read it cannot answer.
 */
const MOST = 2_000_000;

/**
 * A tool whose work is the host's: the call goes out as a marked dialog, and the answer says how it went. pi runs the
 * calls of one message side by side; an abort ends the dialog, and so the call.
 */
function registerHostTool(pi, mark, tool) {
	pi.registerTool({
		...tool,
		async execute(call, args, signal, _onUpdate, ctx) {
			const request = JSON.stringify({ tool: tool.name, call, arguments: args });
			if (request.length > MOST) {
				throw new Error(
					`The arguments are too long: ${request.length} characters, at most ${MOST}. Nothing was done. ` +
						"Put what is long into a file, and name the file.",
				);
			}
			const answer = await ctx.ui.input(mark, request, { signal });
			if (answer === undefined) throw new Error("The host did not answer; nothing was done.");
			const { text, error } = JSON.parse(answer);
			if (error) throw new Error(text);
			return { content: [{ type: "text", text }], details: {} };
		},
	});
}

export default function (pi) {
	const mark = take("DISPATCHD_HOST_MARK");
	const tools = JSON.parse(take("DISPATCHD_HOST_TOOLS") ?? "[]");
	const login = JSON.parse(take("DISPATCHD_HOST_LOGIN") ?? "{}");
	registerResume(pi);
	for (const [provider, variable] of Object.entries(login)) registerKey(pi, provider, variable);
	if (mark) for (const tool of tools) registerHostTool(pi, mark, tool);
}
