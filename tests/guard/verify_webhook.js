// SPDX-License-Identifier: Apache-2.0
// Verifies one webhook with the official library of Standard Webhooks: {secret, headers, body} on standard input.
const { Webhook } = require("standardwebhooks");

const { secret, headers, body } = JSON.parse(require("fs").readFileSync(0, "utf8"));
try {
  process.stdout.write(JSON.stringify({ type: new Webhook(secret).verify(body, headers).type }));
} catch (e) {
  process.stdout.write(JSON.stringify({ refused: String(e.message || e) }));
}
