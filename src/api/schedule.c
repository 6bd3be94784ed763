// SPDX-License-Identifier: Apache-2.0
// Looking ahead over REST.
#include "app/schedule.h"

#include "api/handlers.h"

bool api_schedule_preview(struct call *c, struct err *err)
{
    struct preview_request r;
    struct preview p;
    if (!call_decode(c, &r, err) || !app_schedule_preview(c->app, &c->caller, &r, &p, &c->faults, c->a, err))
        return false;
    struct sbuf *out = call_out(c);
    sbuf_puts(out, "{\"next\":[");
    for (size_t i = 0; i < p.n; i++) {
        char text[INSTANT_TEXT_MAX];
        list_next(c, i);
        sbuf_puts(out, "{\"at\":");
        sbuf_json(out, str_of(instant_format_offset(p.v[i].at, p.v[i].offset_s, text)));
        sbuf_puts(out, ",\"utc\":");
        sbuf_json(out, str_of(instant_format(p.v[i].at, text)));
        if (p.v[i].note.p) {
            sbuf_puts(out, ",\"note\":");
            sbuf_json(out, p.v[i].note);
        }
        sbuf_putc(out, '}');
    }
    sbuf_puts(out, p.n == 0 ? "],\"never\":true" : "],\"never\":false");
    warnings_write(c, &p.warnings);
    sbuf_putc(out, '}');
    return true;
}
