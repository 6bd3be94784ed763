// SPDX-License-Identifier: Apache-2.0
// A new signing key over REST.
#include "app/keys.h"

#include "api/handlers.h"

bool api_keys_rotate(struct call *c, struct err *err)
{
    struct key_rotation_request r;
    struct key_rotation done;
    if (!call_decode(c, &r, err) || !app_key_rotate(c->app, &c->caller, &r, &done, c->a, err))
        return false;
    call_one(c, &key_rotation_fields, &done);
    return true;
}
