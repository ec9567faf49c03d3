/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/client/cut.h"

bool cut_is_now(struct cut *c, Satchel__Envelope__BodyCase kind)
{
    if (c->done || kind != c->kind || c->after-- > 0)
        return false;
    c->done = true;
    return true;
}

bool cut_answer(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    (void)tail;
    if (!cut_is_now(f->cookie, r->body_case))
        return true;
    fake_drop(f);
    return false;
}

bool cut_request(struct fake *f, const Satchel__Envelope *e)
{
    if (!cut_is_now(f->cookie, e->body_case))
        return true;
    fake_drop(f);
    return false;
}
