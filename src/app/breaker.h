// SPDX-License-Identifier: Apache-2.0
// Circuit breakers for people: look, reset; and how nodes share them through the store.
//
// Everybody who is signed in sees all of them: targets are shared by the jobs of many users, a target is no
// more than scheme, host and port, and who asks why his run was held back must find the answer.
#ifndef APP_BREAKER_H
#define APP_BREAKER_H

#include "app/app.h"
#include "jobs/breakers.h"

// How the breakers of this node reach the others; node is its name. The store must outlive it.
struct breaker_share app_breaker_share(struct store *store, struct str node);
// Before requests are answered; without it there are none to see.
void app_set_breakers(struct app *app, struct breakers *b);

// All that this node knows, by target.
bool app_breakers_list(struct app *app, const struct caller *c, struct breaker_row **ret, size_t *ret_n,
                       struct arena *a, struct err *err) __attribute__((warn_unused_result));
// Closes it on every node. *ret is the breaker afterwards. ERR_NOT_FOUND.
bool app_breaker_reset(struct app *app, const struct caller *c, struct ulid id, struct breaker_row *ret,
                       struct arena *a, struct err *err) __attribute__((warn_unused_result));

#endif
