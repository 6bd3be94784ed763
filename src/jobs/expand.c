// SPDX-License-Identifier: Apache-2.0
// Templates with the values of one attempt: its run, its job, its parameters, the secrets of its owner.
#include "jobs/mask.h"
#include "jobs/runner.h"
#include "jobs/services.h"
#include "jobs/template.h"

// The attempt's memory is wiped when it is freed, and what it says is masked.
static bool secret_get(void *ctx, struct str name, struct str *ret, struct arena *arena, struct err *err)
{
    struct attempt *a = ctx;
    const struct job_services *s = a->env ? a->env->services : NULL;
    arena->wipe = true;
    a->secret_missing = true;
    if (!s || !s->secret)
        return ERR(err, ERR_UNAVAILABLE, "secret \"%.*s\": there are no secrets on this server", STR_ARG(name));
    if (!s->secret(s->ctx, name, a, ret, arena, err))
        return false;
    if (!a->mask)
        a->mask = mask_new();
    if (!mask_add(a->mask, *ret))
        return ERR(err, ERR_TOO_LARGE, "the job uses more than %d secrets", MASK_SECRETS_MAX);
    a->secret_missing = false;
    return true;
}

bool attempt_expand(struct attempt *a, const struct fields *t, void *obj, struct err *err)
{
    json_t *inputs CLEANUP_JSON = NULL;
    if (a->inputs.n > 0 && !json_parse(a->inputs, &inputs, err))
        return err_wrap(err, "the run's parameters");
    struct template_values values = {
        .run_id = a->run_id, .run_key = a->run_key, .job_id = a->job_id, .job_name = a->job.name,
        .scheduled = a->scheduled, .attempt = a->number, .inputs = inputs, .secret = secret_get, .secret_ctx = a,
    };
    return template_expand(t, obj, &values, &a->arena, err);
}
