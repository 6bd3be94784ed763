// SPDX-License-Identifier: Apache-2.0
// The rules of one circuit breaker.
#include "jobs/breaker.h"

void breaker_init(struct breaker *b, struct mono now)
{
    *b = (struct breaker){.state = BREAKER_CLOSED, .since = now, .until = now};
}

struct duration breaker_wait(int64_t opens)
{
    int64_t s = BREAKER_WAIT_S;
    for (int64_t i = 1; i < opens && s < BREAKER_WAIT_S_MAX; i++)
        s *= 2;
    return duration_s(s < BREAKER_WAIT_S_MAX ? s : BREAKER_WAIT_S_MAX);
}

enum breaker_answer breaker_ask(const struct breaker *b, struct mono now)
{
    if (b->state == BREAKER_CLOSED)
        return BREAKER_PASS;
    return now.us >= b->until.us ? BREAKER_PROBE : BREAKER_REFUSE;
}

static void enter(struct breaker *b, int state, struct mono now, struct duration wait)
{
    b->state = state;
    b->since = now;
    b->until = mono_add(now, wait);
}

void breaker_probe(struct breaker *b, struct mono now, struct duration at_most)
{
    must(breaker_ask(b, now) == BREAKER_PROBE);
    enter(b, BREAKER_HALF_OPEN, now, at_most);
}

static void open_now(struct breaker *b, struct mono now)
{
    b->opens++;
    enter(b, BREAKER_OPEN, now, breaker_wait(b->opens));
}

static void call_add(struct breaker *b, bool failed, struct mono now)
{
    uint32_t bit = 1u << b->next;
    b->ended[b->next] = now;
    b->failed = failed ? b->failed | bit : b->failed & ~bit;
    b->next = (b->next + 1) % BREAKER_CALLS;
    b->known += b->known < BREAKER_CALLS;
}

static bool half_failed(const struct breaker *b, struct mono now)
{
    bool recent =
        b->known == BREAKER_CALLS && mono_since(now, b->ended[b->next]).us <= duration_s(BREAKER_WINDOW_S).us;
    return recent && __builtin_popcount(b->failed) * 2 >= BREAKER_CALLS;
}

static bool judge_closed(struct breaker *b, enum breaker_verdict v, struct mono now)
{
    b->failures = v == VERDICT_DOWN ? b->failures + 1 : 0;
    call_add(b, v != VERDICT_ANSWER, now);
    if (v == VERDICT_ANSWER || (b->failures < BREAKER_FAILURES && !half_failed(b, now)))
        return false; // a success never opens, whatever came before
    open_now(b, now);
    return true;
}

bool breaker_judge(struct breaker *b, enum breaker_verdict v, struct mono now)
{
    if (b->state == BREAKER_CLOSED)
        return v != VERDICT_NONE && judge_closed(b, v, now);
    if (b->state == BREAKER_OPEN)
        return false; // it was let through before
    if (v == VERDICT_ANSWER) {
        breaker_init(b, now);
    } else if (v == VERDICT_NONE) {
        enter(b, BREAKER_OPEN, now, (struct duration){0}); // the next call is the probe
    } else {
        b->failures += v == VERDICT_DOWN;
        open_now(b, now);
    }
    return true;
}
