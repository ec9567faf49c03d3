/* SPDX-License-Identifier: Apache-2.0 */
/* seen: which header came first under a transfer ID. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/local/seen.h"
#include "tests/unit/vault_fix.h"

#define NOW VAULT_FIX_NOW

struct state {
    struct vault_fix fix;
    struct seen *seen;
};

static int setup(void **state)
{
    struct state *s = calloc(1, sizeof(*s));

    assert_non_null(s);
    vault_fix_make(&s->fix);
    assert_int_equal(seen_new(s->fix.vault, &s->seen, NULL), ERR_OK);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct state *s = *state;

    seen_free(s->seen);
    vault_fix_free(&s->fix);
    free(s);
    return 0;
}

static struct seen_entry entry(unsigned tid, uint8_t header, uint64_t until)
{
    struct seen_entry e = {.until = until};

    memcpy(e.tid.b, &tid, sizeof(tid));
    memset(e.header.b, header, sizeof(e.header.b));
    return e;
}

static void reopen(struct state *s)
{
    seen_free(s->seen);
    s->seen = NULL;
    assert_int_equal(seen_new(s->fix.vault, &s->seen, NULL), ERR_OK);
    assert_int_equal(seen_refresh(s->seen, NULL), ERR_OK);
}

static void headers_are_remembered(void **state)
{
    struct state *s = *state;
    struct seen_entry e = entry(1, 7, NOW + 1), probe = entry(1, 0, 0), other = entry(1, 8, NOW),
                      batch[2] = {entry(2, 1, NOW), entry(1, 8, NOW)};

    assert_int_equal(seen_refresh(s->seen, NULL), ERR_OK);
    assert_int_equal(seen_find(s->seen, &probe, NULL), ERR_NOTFOUND);
    assert_int_equal(seen_add(s->seen, &e, 1, NOW, NULL), ERR_OK);
    assert_int_equal(seen_add(s->seen, &e, 1, NOW, NULL), ERR_OK);
    reopen(s);
    assert_int_equal(seen_find(s->seen, &probe, NULL), ERR_OK);
    assert_memory_equal(&probe.header, &e.header, 32);
    assert_int_equal(seen_add(s->seen, &other, 1, NOW, NULL), ERR_INTEGRITY);
    assert_int_equal(seen_add(s->seen, batch, 2, NOW, NULL), ERR_INTEGRITY);
    assert_int_equal(seen_find(s->seen, &probe, NULL), ERR_OK); /* still there */
    probe = entry(2, 0, 0);
    assert_int_equal(seen_find(s->seen, &probe, NULL), ERR_NOTFOUND);
    probe = entry(1, 0, 0);
    probe.sender.b[0] = 1;
    assert_int_equal(seen_find(s->seen, &probe, NULL), ERR_NOTFOUND);
}

/* Two that are open at the same time, as two processes are. */
static void two_writers(void **state)
{
    struct state *s = *state;
    struct seen *other = NULL;
    struct seen_entry a = entry(1, 1, NOW), b = entry(2, 2, NOW), probe = entry(1, 0, 0);

    assert_int_equal(seen_new(s->fix.vault, &other, NULL), ERR_OK);
    assert_int_equal(seen_add(s->seen, &a, 1, NOW, NULL), ERR_OK);
    assert_int_equal(seen_add(other, &b, 1, NOW, NULL), ERR_OK);
    assert_int_equal(seen_find(other, &probe, NULL), ERR_OK);
    probe = entry(2, 0, 0);
    assert_int_equal(seen_find(s->seen, &probe, NULL), ERR_NOTFOUND);
    assert_int_equal(seen_refresh(s->seen, NULL), ERR_OK);
    assert_int_equal(seen_find(s->seen, &probe, NULL), ERR_OK);
    seen_free(other);
}

static void segments_fill_and_go(void **state)
{
    enum { MANY = 2 * SEEN_SEGMENT + 10 };
    struct state *s = *state;
    struct seen_entry *all = calloc(MANY, sizeof(*all)), late, probe;

    for (unsigned i = 0; i < MANY; i++)
        all[i] = entry(i, (uint8_t)i, i < SEEN_SEGMENT ? NOW : NOW + 100);
    assert_int_equal(seen_add(s->seen, all, MANY, NOW, NULL), ERR_OK);
    reopen(s);
    for (unsigned i = 0; i < MANY; i++) {
        probe = entry(i, 0, 0);
        assert_int_equal(seen_find(s->seen, &probe, NULL), ERR_OK);
        assert_int_equal(probe.header.b[0], (uint8_t)i);
    }
    /* The first segment is not needed any more; its place is used again. */
    late = entry(MANY, 1, NOW + 100);
    assert_int_equal(seen_add(s->seen, &late, 1, NOW + 1, NULL), ERR_OK);
    reopen(s);
    probe = entry(0, 0, 0);
    assert_int_equal(seen_find(s->seen, &probe, NULL), ERR_NOTFOUND);
    probe = entry(SEEN_SEGMENT, 0, 0);
    assert_int_equal(seen_find(s->seen, &probe, NULL), ERR_OK);
    probe = entry(MANY, 0, 0);
    assert_int_equal(seen_find(s->seen, &probe, NULL), ERR_OK);
    free(all);
}

static void damaged_segments(void **state)
{
    struct state *s = *state;
    struct seen_entry e = entry(1, 7, NOW);
    uint8_t id[VAULT_RECORD_ID_LEN], first[4] = {0};

    assert_int_equal(vault_id(s->fix.vault, "seen", PART_OF(first), id, NULL), ERR_OK);
    assert_int_equal(vault_lock(s->fix.vault, NULL), ERR_OK);
    /* A message whose entries have 3 bytes. */
    assert_int_equal(vault_put(s->fix.vault, "seen", id, part("\x0a\x03xyz", 5), NULL), ERR_OK);
    vault_unlock(s->fix.vault);
    assert_int_equal(seen_refresh(s->seen, NULL), ERR_CORRUPT);
    assert_int_equal(seen_add(s->seen, &e, 1, NOW, NULL), ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(headers_are_remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(two_writers, setup, teardown),
        cmocka_unit_test_setup_teardown(segments_fill_and_go, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_segments, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
