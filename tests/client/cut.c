/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

bool cut_busy(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    (void)tail;
    if (!cut_is_now(f->cookie, r->body_case))
        return true;
    fake_clear(r);
    fake_error(r, SATCHEL__CODE__BUSY, "the store is full, and room is being made");
    return true;
}

bool cut_request(struct fake *f, const Satchel__Envelope *e)
{
    if (!cut_is_now(f->cookie, e->body_case))
        return true;
    fake_drop(f);
    return false;
}

uint64_t cut_moves_from;

void cut_on_progress(void *cookie, const struct satchel_progress *p)
{
    (void)cookie;
    if (p->phase == SATCHEL_PHASE_TRANSFER && cut_moves_from == UINT64_MAX)
        cut_moves_from = p->done;
}

void assert_bob_gets_it(struct scene *g)
{
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_OK);
    assert_output(g);
}
