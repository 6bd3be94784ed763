// SPDX-License-Identifier: Apache-2.0
// How records of the audit trail are shown. What seals them is not part of it: GET /audit:verify says whether it holds.
#include "model/audit.h"

#include "base/mem.h"

const char *const audit_outcome_names[] = {"DONE", "REFUSED", "FAILED", NULL};

#define ANSWER .flags = FIELD_READ_ONLY
#define OPTION .flags = FIELD_READ_ONLY | FIELD_NULLABLE
#define T      struct audit_record
static const struct field rows[] = {
    FIELD_ID(T, id, "id", .flags = FIELD_READ_ONLY | FIELD_INDEXED, .doc = "Identifier; sorts by time."),
    FIELD_I64(T, seq, "seq", ANSWER, .max = INT64_MAX,
              .doc = "Place in the chain, from 1 without gaps; 0 for about a second, until it is sealed."),
    FIELD_INSTANT(T, at, "at", ANSWER, .doc = "When, by the clock of the node."),
    FIELD_ID(T, actor_id, "actorId", OPTION, .doc = "User; null: nobody who is known, or the system."),
    FIELD_STR(T, actor, "actor", ANSWER, .max = AUDIT_ACTOR_MAX, .doc = "E-mail address, or \"system\"."),
    FIELD_STR(T, way, "way", OPTION, .max = AUDIT_WAY_MAX,
              .doc = "How the actor proved who asks: TOKEN, COOKIE, API_KEY, CLI or KAFKA."),
    FIELD_STR(T, address, "address", OPTION, .max = AUDIT_WORD_MAX, .doc = "Network address of who asked."),
    FIELD_STR(T, request_id, "requestId", OPTION, .max = AUDIT_WORD_MAX,
              .doc = "The request, as in X-Request-Id and in the log."),
    FIELD_STR(T, node, "node", ANSWER, .max = AUDIT_WORD_MAX, .doc = "Node that did it."),
    FIELD_STR(T, action, "action", ANSWER, .max = AUDIT_WORD_MAX, .doc = "What was done: \"job.update\"."),
    FIELD_STR(T, entity_type, "entityType", ANSWER, .max = AUDIT_TYPE_MAX, .doc = "Kind of what it was done to."),
    FIELD_STR(T, entity_id, "entityId", ANSWER, .max = AUDIT_ID_MAX,
              .doc = "Its identifier, or the name of what has none."),
    FIELD_STR(T, entity_name, "entityName", OPTION, .max = AUDIT_NAME_MAX, .doc = "Its name as it was then."),
    FIELD_ENUM(T, outcome, "outcome", audit_outcome_names, ANSWER,
               .doc = "DONE, REFUSED (not allowed), or FAILED (allowed, but it did not come off)."),
    FIELD_STR(T, detail, "detail", OPTION, .max = AUDIT_DETAIL_MAX, .doc = "Why, in a sentence."),
    FIELD_JSON(T, changes, "changes", OPTION, .max = AUDIT_CHANGES_MAX,
               .doc = "What changed: members with their values before and after; secrets are shown as ***."),
};
#undef T
const struct fields audit_record_fields =
    FIELDS("AuditRecord", struct audit_record, rows, .doc = "Who did what, when and from where.");

void audit_record_texts(struct audit_record *r, struct str *ret[static AUDIT_TEXTS])
{
    struct str *all[AUDIT_TEXTS] = {&r->actor,  &r->way,         &r->address,   &r->request_id,  &r->node,   &r->action,
                                    &r->entity_type, &r->entity_id, &r->entity_name, &r->detail, &r->changes};
    memcpy((void *)ret, (const void *)all, sizeof all);
}

struct audit_record *audit_record_copy(const struct audit_record *r)
{
    struct audit_record from = *r;
    struct str *texts[AUDIT_TEXTS];
    size_t bytes = sizeof from;
    audit_record_texts(&from, texts);
    for (size_t i = 0; i < AUDIT_TEXTS; i++)
        bytes += texts[i]->n;
    struct audit_record *own = mem_array(1, bytes + 1); // so that an empty text has a place, too
    char *at = (char *)(own + 1);
    for (size_t i = 0; i < AUDIT_TEXTS; i++) {
        if (!texts[i]->p)
            continue;
        if (texts[i]->n > 0)
            memcpy(at, texts[i]->p, texts[i]->n);
        texts[i]->p = at;
        at += texts[i]->n;
    }
    *own = from;
    return own;
}
