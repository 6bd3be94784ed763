// SPDX-License-Identifier: Apache-2.0
// Looking ahead over REST.
#include "app/schedule.h"

#include "api/handlers.h"

bool api_schedule_preview(struct call *c, struct err *err)
{
    struct preview_request r;
    struct occurrence *v;
    size_t n = 0;
    if (!call_decode(c, &r, err) || !app_schedule_preview(c->app, &c->caller, &r, &v, &n, &c->faults, c->a, err))
        return false;
    struct sbuf *out = call_out(c);
    sbuf_puts(out, "{\"next\":[");
    for (size_t i = 0; i < n; i++) {
        char text[INSTANT_TEXT_MAX];
        list_next(c, i);
        sbuf_puts(out, "{\"at\":");
        sbuf_json(out, str_of(instant_format_offset(v[i].at, v[i].offset_s, text)));
        sbuf_puts(out, ",\"utc\":");
        sbuf_json(out, str_of(instant_format(v[i].at, text)));
        if (v[i].note.p) {
            sbuf_puts(out, ",\"note\":");
            sbuf_json(out, v[i].note);
        }
        sbuf_putc(out, '}');
    }
    sbuf_puts(out, n == 0 ? "],\"never\":true}" : "],\"never\":false}");
    return true;
}
