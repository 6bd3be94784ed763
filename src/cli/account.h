// SPDX-License-Identifier: Apache-2.0
// What the commands about users, API keys and teams share: names where identifiers are expected, and JSON bodies.
#ifndef CLI_ACCOUNT_H
#define CLI_ACCOUNT_H

#include "cli/client.h"

enum { ACCOUNT_BODY_MAX = 64 << 10 };

// Id of the user of that address, of the team of that name, or the text itself when it is an id. CLI_OK or the exit
// code; then everything has been told.
int user_resolve(struct client *cl, struct str name, struct str *ret_id);
int team_resolve(struct client *cl, struct str name, struct str *ret_id);
// Adds "key":["a","b"] of a flag that may be repeated; nothing when it is not given. False: not UTF-8.
bool words_put(const struct cli *c, json_t *object, const char *key, const char *flag);
// The text of a JSON object, in the arena of the call.
struct str body_of(struct cli *c, const json_t *object);
// "?transferTo=ID" of the flag "transfer-to", which names a user or, as "team:NAME", a team; "" when it is not given.
int transfer_query(struct client *cl, struct str *ret);

#endif
