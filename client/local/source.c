/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/source.h"

#include "client/local/source_kind.h"

void source_free(struct source *s)
{
    if (s != NULL)
        s->kind->free(s);
}

const struct source_facts *source_facts(const struct source *s)
{
    return &s->facts;
}

int source_read(struct source *s, const struct source_range *range, const atomic_bool *stop,
                size_t *ret_len, struct err *err)
{
    return s->kind->read(s, range, stop, ret_len, err);
}

const char *source_note(const struct source *s, size_t i)
{
    return s->kind->note != NULL ? s->kind->note(s, i) : NULL;
}

int source_unchanged(struct source *s, struct err *err)
{
    return s->kind->unchanged(s, err);
}
