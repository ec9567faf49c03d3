/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sample/vectors_json.h"

#include <inttypes.h>

void vectors_json_begin(struct vectors_json *j, const char *what)
{
    fprintf(j->out, "%s    {\n      \"case\": \"%s\"", j->cases++ > 0 ? ",\n" : "", what);
}

void vectors_json_end(struct vectors_json *j)
{
    fprintf(j->out, "\n    }");
}

void vectors_json_text(struct vectors_json *j, const char *name, const char *value)
{
    fprintf(j->out, ",\n      \"%s\": \"%s\"", name, value);
}

void vectors_json_number(struct vectors_json *j, const char *name, uint64_t value)
{
    fprintf(j->out, ",\n      \"%s\": \"%" PRIu64 "\"", name, value);
}

void vectors_json_hex(struct vectors_json *j, const char *name, struct part p)
{
    const uint8_t *bytes = p.data;

    fprintf(j->out, ",\n      \"%s\": \"", name);
    for (size_t i = 0; i < p.len; i++)
        fprintf(j->out, "%02x", bytes[i]);
    fputc('"', j->out);
}

void vectors_json_buf(struct vectors_json *j, const char *name, const struct buf *b)
{
    vectors_json_hex(j, name, part(b->data, b->len));
}

void vectors_json_secret(struct vectors_json *j, const char *name, const struct secret *s)
{
    vectors_json_hex(j, name, part_secret(s));
}
