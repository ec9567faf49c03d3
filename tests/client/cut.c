/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/client/cut.h"

static bool is_it(struct cut *c, Satchel__Envelope__BodyCase kind)
{
    if (c->done || kind != c->kind || c->after-- > 0)
        return false;
    c->done = true;
    return true;
}

bool cut_answer(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    (void)tail;
    if (!is_it(f->cookie, r->body_case))
        return true;
    fake_drop(f);
    return false;
}

bool cut_request(struct fake *f, const Satchel__Envelope *e)
{
    if (!is_it(f->cookie, e->body_case))
        return true;
    fake_drop(f);
    return false;
}

bool busy_answer(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    (void)tail;
    if (!is_it(f->cookie, r->body_case))
        return true;
    fake_clear(r);
    fake_error(r, SATCHEL__CODE__BUSY, "the store is full, and room is being made");
    r->error->retry_after = 20; /* ms */
    return true;
}

void patience(struct actor_handle *h, unsigned ms)
{
    h->retry_ms = ms;
    handle_again(h);
}
